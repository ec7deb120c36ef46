// Of this package. `make package` writes its own.
export { version } from "../package.json";
