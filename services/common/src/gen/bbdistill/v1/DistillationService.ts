// Original file: proto/bbdistill/v1/orchestrator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateRunRequest as _bbdistill_v1_CreateRunRequest, CreateRunRequest__Output as _bbdistill_v1_CreateRunRequest__Output } from '../../bbdistill/v1/CreateRunRequest.js';
import type { Dataset as _bbdistill_v1_Dataset, Dataset__Output as _bbdistill_v1_Dataset__Output } from '../../bbdistill/v1/Dataset.js';
import type { DeleteRunResponse as _bbdistill_v1_DeleteRunResponse, DeleteRunResponse__Output as _bbdistill_v1_DeleteRunResponse__Output } from '../../bbdistill/v1/DeleteRunResponse.js';
import type { DownloadArtifactRequest as _bbdistill_v1_DownloadArtifactRequest, DownloadArtifactRequest__Output as _bbdistill_v1_DownloadArtifactRequest__Output } from '../../bbdistill/v1/DownloadArtifactRequest.js';
import type { DownloadArtifactResponse as _bbdistill_v1_DownloadArtifactResponse, DownloadArtifactResponse__Output as _bbdistill_v1_DownloadArtifactResponse__Output } from '../../bbdistill/v1/DownloadArtifactResponse.js';
import type { ListRunsRequest as _bbdistill_v1_ListRunsRequest, ListRunsRequest__Output as _bbdistill_v1_ListRunsRequest__Output } from '../../bbdistill/v1/ListRunsRequest.js';
import type { ListRunsResponse as _bbdistill_v1_ListRunsResponse, ListRunsResponse__Output as _bbdistill_v1_ListRunsResponse__Output } from '../../bbdistill/v1/ListRunsResponse.js';
import type { PlanRunRequest as _bbdistill_v1_PlanRunRequest, PlanRunRequest__Output as _bbdistill_v1_PlanRunRequest__Output } from '../../bbdistill/v1/PlanRunRequest.js';
import type { PlanRunResponse as _bbdistill_v1_PlanRunResponse, PlanRunResponse__Output as _bbdistill_v1_PlanRunResponse__Output } from '../../bbdistill/v1/PlanRunResponse.js';
import type { ResumeRunRequest as _bbdistill_v1_ResumeRunRequest, ResumeRunRequest__Output as _bbdistill_v1_ResumeRunRequest__Output } from '../../bbdistill/v1/ResumeRunRequest.js';
import type { Run as _bbdistill_v1_Run, Run__Output as _bbdistill_v1_Run__Output } from '../../bbdistill/v1/Run.js';
import type { RunEvent as _bbdistill_v1_RunEvent, RunEvent__Output as _bbdistill_v1_RunEvent__Output } from '../../bbdistill/v1/RunEvent.js';
import type { RunRequest as _bbdistill_v1_RunRequest, RunRequest__Output as _bbdistill_v1_RunRequest__Output } from '../../bbdistill/v1/RunRequest.js';
import type { UploadImagesRequest as _bbdistill_v1_UploadImagesRequest, UploadImagesRequest__Output as _bbdistill_v1_UploadImagesRequest__Output } from '../../bbdistill/v1/UploadImagesRequest.js';
import type { UsageRequest as _bbdistill_v1_UsageRequest, UsageRequest__Output as _bbdistill_v1_UsageRequest__Output } from '../../bbdistill/v1/UsageRequest.js';
import type { UsageResponse as _bbdistill_v1_UsageResponse, UsageResponse__Output as _bbdistill_v1_UsageResponse__Output } from '../../bbdistill/v1/UsageResponse.js';
import type { WatchRunRequest as _bbdistill_v1_WatchRunRequest, WatchRunRequest__Output as _bbdistill_v1_WatchRunRequest__Output } from '../../bbdistill/v1/WatchRunRequest.js';

export interface DistillationServiceClient extends grpc.Client {
  CancelRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CancelRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CancelRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CancelRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  cancelRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  cancelRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  cancelRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  cancelRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  
  CreateRun(argument: _bbdistill_v1_CreateRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CreateRun(argument: _bbdistill_v1_CreateRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CreateRun(argument: _bbdistill_v1_CreateRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  CreateRun(argument: _bbdistill_v1_CreateRunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  createRun(argument: _bbdistill_v1_CreateRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  createRun(argument: _bbdistill_v1_CreateRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  createRun(argument: _bbdistill_v1_CreateRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  createRun(argument: _bbdistill_v1_CreateRunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  
  DeleteRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  DeleteRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  DeleteRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  DeleteRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  deleteRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  deleteRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  deleteRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  deleteRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_DeleteRunResponse__Output>): grpc.ClientUnaryCall;
  
  DownloadArtifact(argument: _bbdistill_v1_DownloadArtifactRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_DownloadArtifactResponse__Output>;
  DownloadArtifact(argument: _bbdistill_v1_DownloadArtifactRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_DownloadArtifactResponse__Output>;
  downloadArtifact(argument: _bbdistill_v1_DownloadArtifactRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_DownloadArtifactResponse__Output>;
  downloadArtifact(argument: _bbdistill_v1_DownloadArtifactRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_DownloadArtifactResponse__Output>;
  
  GetRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _bbdistill_v1_RunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _bbdistill_v1_RunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _bbdistill_v1_RunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  
  ListRuns(argument: _bbdistill_v1_ListRunsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  ListRuns(argument: _bbdistill_v1_ListRunsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  ListRuns(argument: _bbdistill_v1_ListRunsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  ListRuns(argument: _bbdistill_v1_ListRunsRequest, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  listRuns(argument: _bbdistill_v1_ListRunsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  listRuns(argument: _bbdistill_v1_ListRunsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  listRuns(argument: _bbdistill_v1_ListRunsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  listRuns(argument: _bbdistill_v1_ListRunsRequest, callback: grpc.requestCallback<_bbdistill_v1_ListRunsResponse__Output>): grpc.ClientUnaryCall;
  
  PlanRun(argument: _bbdistill_v1_PlanRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  PlanRun(argument: _bbdistill_v1_PlanRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  PlanRun(argument: _bbdistill_v1_PlanRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  PlanRun(argument: _bbdistill_v1_PlanRunRequest, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  planRun(argument: _bbdistill_v1_PlanRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  planRun(argument: _bbdistill_v1_PlanRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  planRun(argument: _bbdistill_v1_PlanRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  planRun(argument: _bbdistill_v1_PlanRunRequest, callback: grpc.requestCallback<_bbdistill_v1_PlanRunResponse__Output>): grpc.ClientUnaryCall;
  
  ResumeRun(argument: _bbdistill_v1_ResumeRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  ResumeRun(argument: _bbdistill_v1_ResumeRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  ResumeRun(argument: _bbdistill_v1_ResumeRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  ResumeRun(argument: _bbdistill_v1_ResumeRunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  resumeRun(argument: _bbdistill_v1_ResumeRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  resumeRun(argument: _bbdistill_v1_ResumeRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  resumeRun(argument: _bbdistill_v1_ResumeRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  resumeRun(argument: _bbdistill_v1_ResumeRunRequest, callback: grpc.requestCallback<_bbdistill_v1_Run__Output>): grpc.ClientUnaryCall;
  
  UploadImages(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  UploadImages(metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  UploadImages(options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  UploadImages(callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  uploadImages(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  uploadImages(metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  uploadImages(options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  uploadImages(callback: grpc.requestCallback<_bbdistill_v1_Dataset__Output>): grpc.ClientWritableStream<_bbdistill_v1_UploadImagesRequest>;
  
  Usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  
  WatchRun(argument: _bbdistill_v1_WatchRunRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_RunEvent__Output>;
  WatchRun(argument: _bbdistill_v1_WatchRunRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_RunEvent__Output>;
  watchRun(argument: _bbdistill_v1_WatchRunRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_RunEvent__Output>;
  watchRun(argument: _bbdistill_v1_WatchRunRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_RunEvent__Output>;
  
}

export interface DistillationServiceHandlers extends grpc.UntypedServiceImplementation {
  CancelRun: grpc.handleUnaryCall<_bbdistill_v1_RunRequest__Output, _bbdistill_v1_Run>;
  
  CreateRun: grpc.handleUnaryCall<_bbdistill_v1_CreateRunRequest__Output, _bbdistill_v1_Run>;
  
  DeleteRun: grpc.handleUnaryCall<_bbdistill_v1_RunRequest__Output, _bbdistill_v1_DeleteRunResponse>;
  
  DownloadArtifact: grpc.handleServerStreamingCall<_bbdistill_v1_DownloadArtifactRequest__Output, _bbdistill_v1_DownloadArtifactResponse>;
  
  GetRun: grpc.handleUnaryCall<_bbdistill_v1_RunRequest__Output, _bbdistill_v1_Run>;
  
  ListRuns: grpc.handleUnaryCall<_bbdistill_v1_ListRunsRequest__Output, _bbdistill_v1_ListRunsResponse>;
  
  PlanRun: grpc.handleUnaryCall<_bbdistill_v1_PlanRunRequest__Output, _bbdistill_v1_PlanRunResponse>;
  
  ResumeRun: grpc.handleUnaryCall<_bbdistill_v1_ResumeRunRequest__Output, _bbdistill_v1_Run>;
  
  UploadImages: grpc.handleClientStreamingCall<_bbdistill_v1_UploadImagesRequest__Output, _bbdistill_v1_Dataset>;
  
  Usage: grpc.handleUnaryCall<_bbdistill_v1_UsageRequest__Output, _bbdistill_v1_UsageResponse>;
  
  WatchRun: grpc.handleServerStreamingCall<_bbdistill_v1_WatchRunRequest__Output, _bbdistill_v1_RunEvent>;
  
}

export interface DistillationServiceDefinition extends grpc.ServiceDefinition {
  CancelRun: MethodDefinition<_bbdistill_v1_RunRequest, _bbdistill_v1_Run, _bbdistill_v1_RunRequest__Output, _bbdistill_v1_Run__Output>
  CreateRun: MethodDefinition<_bbdistill_v1_CreateRunRequest, _bbdistill_v1_Run, _bbdistill_v1_CreateRunRequest__Output, _bbdistill_v1_Run__Output>
  DeleteRun: MethodDefinition<_bbdistill_v1_RunRequest, _bbdistill_v1_DeleteRunResponse, _bbdistill_v1_RunRequest__Output, _bbdistill_v1_DeleteRunResponse__Output>
  DownloadArtifact: MethodDefinition<_bbdistill_v1_DownloadArtifactRequest, _bbdistill_v1_DownloadArtifactResponse, _bbdistill_v1_DownloadArtifactRequest__Output, _bbdistill_v1_DownloadArtifactResponse__Output>
  GetRun: MethodDefinition<_bbdistill_v1_RunRequest, _bbdistill_v1_Run, _bbdistill_v1_RunRequest__Output, _bbdistill_v1_Run__Output>
  ListRuns: MethodDefinition<_bbdistill_v1_ListRunsRequest, _bbdistill_v1_ListRunsResponse, _bbdistill_v1_ListRunsRequest__Output, _bbdistill_v1_ListRunsResponse__Output>
  PlanRun: MethodDefinition<_bbdistill_v1_PlanRunRequest, _bbdistill_v1_PlanRunResponse, _bbdistill_v1_PlanRunRequest__Output, _bbdistill_v1_PlanRunResponse__Output>
  ResumeRun: MethodDefinition<_bbdistill_v1_ResumeRunRequest, _bbdistill_v1_Run, _bbdistill_v1_ResumeRunRequest__Output, _bbdistill_v1_Run__Output>
  UploadImages: MethodDefinition<_bbdistill_v1_UploadImagesRequest, _bbdistill_v1_Dataset, _bbdistill_v1_UploadImagesRequest__Output, _bbdistill_v1_Dataset__Output>
  Usage: MethodDefinition<_bbdistill_v1_UsageRequest, _bbdistill_v1_UsageResponse, _bbdistill_v1_UsageRequest__Output, _bbdistill_v1_UsageResponse__Output>
  WatchRun: MethodDefinition<_bbdistill_v1_WatchRunRequest, _bbdistill_v1_RunEvent, _bbdistill_v1_WatchRunRequest__Output, _bbdistill_v1_RunEvent__Output>
}
