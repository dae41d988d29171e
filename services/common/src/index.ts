export * from './clock.js';
export * from './config.js';
export * as parsers from './config-parsers.js';
export * from './config-values.js';
export { defined } from './defined.js';
export * from './errors.js';
export * from './exit-codes.js';
export * from './group-commit.js';
export { grouped } from './grouped.js';
export { bearerToken } from './grpc/auth.js';
export type { Caller, Quotas, TokenVerifier } from './grpc/auth.js';
export { parseCallers } from './grpc/callers-file.js';
export { DEFAULT_CALL_TIMEOUT_MS, connect } from './grpc/client.js';
export type { CallOptions, ConnectOptions, ServiceClient } from './grpc/client.js';
export { implementService } from './grpc/handlers.js';
export type { CallContext, ServiceHandlers, ServiceImplementation } from './grpc/handlers.js';
export { jobMethods, jobToMessage } from './grpc/job-methods.js';
export { DEAD_LOOP_AGE_MS, LIVENESS, MAX_LOOP_AGE_MS } from './grpc/health.js';
export { DEFAULT_MAX_MESSAGE_BYTES } from './grpc/limits.js';
export { isLoopback } from './grpc/listening.js';
export { SCOPES } from './grpc/scopes.js';
export type { Scope } from './grpc/scopes.js';
export { startGrpcServer } from './grpc/server.js';
export type { GrpcServerOptions, ListenOptions, RunningGrpcServer } from './grpc/server.js';
export type {
  MethodName,
  MethodsOfShape,
  RequestOf,
  RequestReadOf,
  ResponseOf,
  ResponseReadOf,
  ServiceName,
} from './grpc/services.js';
export { fromGrpcError, toGrpcStatus } from './grpc/status.js';
export type { ClientTlsFiles, ServerTlsFiles } from './grpc/tls.js';
export { DEFAULT_DRAIN_MS, startJobService } from './job-service.js';
export type { JobServiceOptions, RunningService } from './job-service.js';
export type * from './job-context.js';
export { observeWaitingJobs } from './job-metrics.js';
export * from './jobs.js';
export * from './json.js';
export { isJsonObject } from './json-object.js';
export { WATCH_AGAIN_MS, keepWatching } from './keep-watching.js';
export type { KeptWatch } from './keep-watching.js';
export * from './logger.js';
export * from './logging.js';
export * from './open-runs.js';
export * from './query-counts.js';
export * from './patience.js';
export * from './random.js';
export { ReloadedFiles } from './reloaded-files.js';
export * from './requests.js';
export { runIdOf } from './run-id.js';
export * from './safetensors.js';
export { holdSecret, redactSecrets } from './secrets.js';
export * from './security-settings.js';
export * from './service-program.js';
export * from './service-settings.js';
export * from './service-stores.js';
export * from './shards.js';
export * from './stores/blob-store.js';
export * from './stores/byte-bucket.js';
export { bootId, isRunning, thisProcess } from './process-identity.js';
export type { ProcessIdentity } from './process-identity.js';
export { FileMarks } from './stores/embedded/file-marks.js';
export { openEmbeddedStores } from './stores/embedded/open-embedded-stores.js';
export type { EmbeddedStoresOptions } from './stores/embedded/open-embedded-stores.js';
export { DiskFullError, FolderNotWritableError, storageError } from './stores/embedded/storage-errors.js';
export * from './stores/event-log.js';
export {
  DEFAULT_MAX_STREAM_BYTES,
  DEFAULT_NATS_NAMESPACE,
  DEFAULT_NATS_PATIENCE_MS,
  openNatsStores,
} from './stores/nats/open-nats-stores.js';
export type { NatsStores, NatsStoresOptions } from './stores/nats/open-nats-stores.js';
export { StoreFullError } from './stores/nats/nats-errors.js';
export type { NatsCredentials } from './stores/nats/nats-link.js';
export * from './stores/process-marks.js';
export * from './stores/state-store.js';
export * from './stores/store-settings.js';
export * from './stores/stores.js';
export * from './stores/work-queue.js';
export { MAX_RESULT_EPOCHS, thinnedHistory } from './thinned-history.js';
export { THREAD_LINGER_MS } from './task-channel.js';
export type { TaskIsolation } from './task-transport.js';
export * from './telemetry-settings.js';
export * from './telemetry.js';
export * from './worker-task.js';
export { BBDISTILL_VERSION } from './version.js';
