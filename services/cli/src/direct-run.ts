import { createRun } from '@bbdistill/client';
import type { Report } from '@bbdistill/orchestrator';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import type { CommandContext, GlobalOptions } from './context.js';
import { withSession } from './context.js';
import { withOutputFolder } from './download.js';
import { finishRun } from './finish-run.js';
import type { RunSettings } from './run-file.js';
import type { Session } from './session.js';
import { runSpecOf } from './run-spec.js';
import { uploadImages } from './upload.js';
import type { ImagesToUpload } from './upload.js';

/** A run whose images a command has in hand, instead of a file that names them. */
export interface DirectRun {
  settings: RunSettings;
  teachers: readonly TeacherConfig[];
  real: ImagesToUpload;
  test: ImagesToUpload;
  out: string;
  /** How to go on where it ended early, in words: neither its file nor its flags are those of `run`. */
  goOn: string;
}

/** Uploads, runs and writes the results. @returns the report, unless the run ended early */
export async function runDirectly(
  run: DirectRun,
  context: CommandContext,
  options: GlobalOptions,
): Promise<Report | undefined> {
  const { settings, teachers, out, goOn } = run;
  const { engine, gpu } = settings;
  const work = async (session: Session) => {
    const { orchestrator } = session;
    const real = await uploadImages(orchestrator, { images: run.real.images }, context.interrupt);
    const test = await uploadImages(orchestrator, run.test, context.interrupt);
    const spec = runSpecOf(settings, { images: real.id, test: test.id, classNames: run.test.classNames ?? [] });
    const { id } = await createRun(orchestrator, spec, { signal: context.interrupt });
    context.output.stderr(`run ${id} (${settings.name}) is on its way`);
    return finishRun({ session, runId: id, out, context, options, goOn });
  };
  return withOutputFolder(out, () => withSession(options, { teachers, engine, gpu }, work));
}
