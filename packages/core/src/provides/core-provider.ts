import type { Provider } from "@thaw/contracts";
import { OPTIMIZERS } from "../optimizers/list.js";
import { SCHEDULES } from "../schedules/list.js";

/** What core itself provides: every registry begins with it. */
export const CORE_PROVIDER: Provider = {
  name: "Thaw's core",
  provides: { optimizers: OPTIMIZERS, schedules: SCHEDULES },
};
