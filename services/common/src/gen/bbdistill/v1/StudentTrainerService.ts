// Original file: proto/bbdistill/v1/trainer.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DescribeRequest as _bbdistill_v1_DescribeRequest, DescribeRequest__Output as _bbdistill_v1_DescribeRequest__Output } from '../../bbdistill/v1/DescribeRequest.js';
import type { EvaluateRequest as _bbdistill_v1_EvaluateRequest, EvaluateRequest__Output as _bbdistill_v1_EvaluateRequest__Output } from '../../bbdistill/v1/EvaluateRequest.js';
import type { ExportRequest as _bbdistill_v1_ExportRequest, ExportRequest__Output as _bbdistill_v1_ExportRequest__Output } from '../../bbdistill/v1/ExportRequest.js';
import type { Job as _bbdistill_v1_Job, Job__Output as _bbdistill_v1_Job__Output } from '../../bbdistill/v1/Job.js';
import type { JobRequest as _bbdistill_v1_JobRequest, JobRequest__Output as _bbdistill_v1_JobRequest__Output } from '../../bbdistill/v1/JobRequest.js';
import type { TrainRequest as _bbdistill_v1_TrainRequest, TrainRequest__Output as _bbdistill_v1_TrainRequest__Output } from '../../bbdistill/v1/TrainRequest.js';
import type { TrainerDescription as _bbdistill_v1_TrainerDescription, TrainerDescription__Output as _bbdistill_v1_TrainerDescription__Output } from '../../bbdistill/v1/TrainerDescription.js';

export interface StudentTrainerServiceClient extends grpc.Client {
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  Describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, callback: grpc.requestCallback<_bbdistill_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  SubmitEvaluate(argument: _bbdistill_v1_EvaluateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitEvaluate(argument: _bbdistill_v1_EvaluateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitEvaluate(argument: _bbdistill_v1_EvaluateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitEvaluate(argument: _bbdistill_v1_EvaluateRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitEvaluate(argument: _bbdistill_v1_EvaluateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitEvaluate(argument: _bbdistill_v1_EvaluateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitEvaluate(argument: _bbdistill_v1_EvaluateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitEvaluate(argument: _bbdistill_v1_EvaluateRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  SubmitExport(argument: _bbdistill_v1_ExportRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitExport(argument: _bbdistill_v1_ExportRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitExport(argument: _bbdistill_v1_ExportRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitExport(argument: _bbdistill_v1_ExportRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitExport(argument: _bbdistill_v1_ExportRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitExport(argument: _bbdistill_v1_ExportRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitExport(argument: _bbdistill_v1_ExportRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitExport(argument: _bbdistill_v1_ExportRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  SubmitTrain(argument: _bbdistill_v1_TrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitTrain(argument: _bbdistill_v1_TrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitTrain(argument: _bbdistill_v1_TrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitTrain(argument: _bbdistill_v1_TrainRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitTrain(argument: _bbdistill_v1_TrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitTrain(argument: _bbdistill_v1_TrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitTrain(argument: _bbdistill_v1_TrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitTrain(argument: _bbdistill_v1_TrainRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  WatchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  WatchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  
}

export interface StudentTrainerServiceHandlers extends grpc.UntypedServiceImplementation {
  CancelJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  Describe: grpc.handleUnaryCall<_bbdistill_v1_DescribeRequest__Output, _bbdistill_v1_TrainerDescription>;
  
  GetJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  SubmitEvaluate: grpc.handleUnaryCall<_bbdistill_v1_EvaluateRequest__Output, _bbdistill_v1_Job>;
  
  SubmitExport: grpc.handleUnaryCall<_bbdistill_v1_ExportRequest__Output, _bbdistill_v1_Job>;
  
  SubmitTrain: grpc.handleUnaryCall<_bbdistill_v1_TrainRequest__Output, _bbdistill_v1_Job>;
  
  WatchJob: grpc.handleServerStreamingCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
}

export interface StudentTrainerServiceDefinition extends grpc.ServiceDefinition {
  CancelJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  Describe: MethodDefinition<_bbdistill_v1_DescribeRequest, _bbdistill_v1_TrainerDescription, _bbdistill_v1_DescribeRequest__Output, _bbdistill_v1_TrainerDescription__Output>
  GetJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  SubmitEvaluate: MethodDefinition<_bbdistill_v1_EvaluateRequest, _bbdistill_v1_Job, _bbdistill_v1_EvaluateRequest__Output, _bbdistill_v1_Job__Output>
  SubmitExport: MethodDefinition<_bbdistill_v1_ExportRequest, _bbdistill_v1_Job, _bbdistill_v1_ExportRequest__Output, _bbdistill_v1_Job__Output>
  SubmitTrain: MethodDefinition<_bbdistill_v1_TrainRequest, _bbdistill_v1_Job, _bbdistill_v1_TrainRequest__Output, _bbdistill_v1_Job__Output>
  WatchJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
}
