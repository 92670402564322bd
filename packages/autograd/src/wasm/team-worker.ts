/** A thread of a team that computes; see team.ts. */
import { workerData } from "node:worker_threads";
import { instantiateFunctions } from "./functions.js";
import { awaitJob, type MemberData, workOff } from "./team.js";

const { words, memory, modules, thread } = workerData as MemberData;
const functions = instantiateFunctions(modules, memory);
for (;;) awaitJob(words, workOff(words, functions, thread));
