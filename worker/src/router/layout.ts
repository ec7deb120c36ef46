/** Where a user's database lies in the bucket. */
export const DEFAULT_LAYOUT = "{user}/database.sqlite";

const PLACEHOLDER = "{user}";

/**
 * A function from users to object keys. @throws Error when the template does not name the user exactly once
 */
export function objectKeys(layout: string): (user: string) => string {
  const parts = layout.split(PLACEHOLDER);
  const [before, after] = parts;
  if (parts.length !== 2 || before === undefined || after === undefined) {
    throw new Error(`createRouter: layout ${JSON.stringify(layout)} must hold ${PLACEHOLDER} exactly once`);
  }
  return (user) => before + user + after;
}
