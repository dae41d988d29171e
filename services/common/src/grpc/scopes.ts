/** What a caller may do. `admin` may do everything. */
export const SCOPES = ['runs:read', 'runs:write', 'data:write', 'services', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

const DISTILLATION = '/bbdistill.v1.DistillationService/';
const INNER_SERVICES = [
  '/bbdistill.v1.TeacherService/',
  '/bbdistill.v1.SynthesisService/',
  '/bbdistill.v1.StudentTrainerService/',
];

const SCOPE_OF_METHOD: Readonly<Record<string, Scope>> = {
  PlanRun: 'runs:read',
  GetRun: 'runs:read',
  ListRuns: 'runs:read',
  WatchRun: 'runs:read',
  DownloadArtifact: 'runs:read',
  Usage: 'runs:read',
  CreateRun: 'runs:write',
  CancelRun: 'runs:write',
  ResumeRun: 'runs:write',
  DeleteRun: 'runs:write',
  UploadImages: 'data:write',
};

/**
 * The scope that a method asks for; `undefined` where any known caller may call it (reflection). A method that nobody
 * has thought of is for `admin` alone.
 * @param path e.g. `/bbdistill.v1.DistillationService/GetRun`
 */
export function scopeOfMethod(path: string): Scope | undefined {
  if (path.startsWith(DISTILLATION)) return SCOPE_OF_METHOD[path.slice(DISTILLATION.length)] ?? 'admin';
  if (INNER_SERVICES.some((service) => path.startsWith(service))) return 'services';
  return path.startsWith('/bbdistill.') ? 'admin' : undefined;
}
