export { createPlugin, KINDS, type CreatedPlugin, type Kind } from "./create.js";
export { main, type Output } from "./main.js";
