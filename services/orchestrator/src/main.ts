import { setFlagsFromString } from 'node:v8';
import { runServiceProcess } from '@bbdistill/common';
import { orchestratorProgram } from './program.js';

// The young generation is collected by this thread and helpers, for which it waits: where cores are short, a collection
// of 5 ms takes 50, and whoever calls meanwhile waits as well. Alone it is done in 7.
setFlagsFromString('--no-parallel-scavenge');

process.exitCode = await runServiceProcess(orchestratorProgram);
