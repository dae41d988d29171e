export { tasksInThisThread as tasksInWorkerThreads } from './tasks.js';
