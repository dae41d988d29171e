import { runServiceProcess } from '@bbdistill/common';
import { teacherProxyProgram } from './program.js';

process.exitCode = await runServiceProcess(teacherProxyProgram);
