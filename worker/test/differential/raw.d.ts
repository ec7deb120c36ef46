// Vite gives a file's text for this.
declare module "*?raw" {
  const text: string;
  export default text;
}
