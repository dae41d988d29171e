export { FakeTeacher } from './adapters/fake.js';
export type { FakeTeacherOptions } from './adapters/fake.js';
export type { Environment } from './adapters/declared.js';
export { openTeacher } from './adapters/open-teacher.js';
export { CircuitBreaker } from './breaker.js';
export type { BreakerState } from './breaker.js';
export { BudgetExhaustedError } from './budget-exhausted.js';
export { Ledger } from './budget.js';
export { PHASES, priceOf, spentBy } from './ledger-record.js';
export type { Budget, LedgerRecord, OpenCall, Phase, PhaseUsage, Spent } from './ledger-record.js';
export { exportAnswers, importAnswers } from './answer-file.js';
export { USE_STEP_MS } from './cache-bound.js';
export type { CacheBound } from './cache-bound.js';
export { EmbeddedAnswerCache, answerKeys } from './cache.js';
export type { AnswerCache, AnswerKey, CachedAnswer, ListableAnswerCache } from './cache.js';
export { SharedAnswerCache } from './shared-cache.js';
export { CallLog } from './calls.js';
export type { CallRecord } from './calls.js';
export { Claims } from './claims.js';
export { Coalescer } from './coalescer.js';
export { LABEL_JOB, labelJobHandler } from './jobs.js';
export { Labeller } from './label.js';
export type { LabellerOptions } from './label.js';
export { SharedLimiter } from './limiter.js';
export type { Limiter, LimiterState, Permit, SharedLimiterOptions } from './limiter.js';
export { describeForm, normaliseAnswer } from './normalise.js';
export { TeacherProxy } from './proxy.js';
export type { TeacherProxyOptions } from './proxy.js';
export { recoverOpenCalls } from './recovery.js';
export {
  ADAPTERS,
  DEFAULT_CALL_TIMEOUT_MS,
  DEFAULT_CONCURRENCY,
  DEFAULT_IMAGES_PER_CALL,
  TeacherRegistry,
  parseTeacherConfig,
  parseTeachers,
} from './registry.js';
export type { AdapterName, Limits, Price, TeacherConfig } from './registry.js';
export { startTeacherProxy } from './server.js';
export type { RunningTeacherProxy, TeacherProxyServerOptions } from './server.js';
export type { Labelled, LabelOptions, LabelTask } from './session.js';
export { imagesPerCallWithin } from './limits.js';
export { ANSWER_KINDS, TEACHER_AUTH, TEACHER_TLS, TEACHER_TOO_LARGE } from './teacher.js';
export type {
  AnswerForm,
  AnswerKind,
  CanonicalRequests,
  ImageAnswer,
  LimitHint,
  QueryOutcome,
  RawAnswer,
  Teacher,
  TeacherFacts,
  ThrottleReason,
} from './teacher.js';
export { UsageBook, usageLines } from './usage.js';
export type { QueryCounts, UsageLine } from './usage.js';
export { teacherProxyProgram } from './program.js';
export { CACHE_SETTINGS, TEACHERS_SETTINGS } from './config.js';
export { TeachersFile } from './teachers-file.js';
