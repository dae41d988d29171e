// Original file: proto/bbdistill/v1/synthesis.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DescribeRequest as _bbdistill_v1_DescribeRequest, DescribeRequest__Output as _bbdistill_v1_DescribeRequest__Output } from '../../bbdistill/v1/DescribeRequest.js';
import type { FitRequest as _bbdistill_v1_FitRequest, FitRequest__Output as _bbdistill_v1_FitRequest__Output } from '../../bbdistill/v1/FitRequest.js';
import type { GenerateRequest as _bbdistill_v1_GenerateRequest, GenerateRequest__Output as _bbdistill_v1_GenerateRequest__Output } from '../../bbdistill/v1/GenerateRequest.js';
import type { Job as _bbdistill_v1_Job, Job__Output as _bbdistill_v1_Job__Output } from '../../bbdistill/v1/Job.js';
import type { JobRequest as _bbdistill_v1_JobRequest, JobRequest__Output as _bbdistill_v1_JobRequest__Output } from '../../bbdistill/v1/JobRequest.js';
import type { MixRequest as _bbdistill_v1_MixRequest, MixRequest__Output as _bbdistill_v1_MixRequest__Output } from '../../bbdistill/v1/MixRequest.js';
import type { PreviewRequest as _bbdistill_v1_PreviewRequest, PreviewRequest__Output as _bbdistill_v1_PreviewRequest__Output } from '../../bbdistill/v1/PreviewRequest.js';
import type { PreviewResponse as _bbdistill_v1_PreviewResponse, PreviewResponse__Output as _bbdistill_v1_PreviewResponse__Output } from '../../bbdistill/v1/PreviewResponse.js';
import type { SynthesisDescription as _bbdistill_v1_SynthesisDescription, SynthesisDescription__Output as _bbdistill_v1_SynthesisDescription__Output } from '../../bbdistill/v1/SynthesisDescription.js';

export interface SynthesisServiceClient extends grpc.Client {
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  Describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _bbdistill_v1_DescribeRequest, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _bbdistill_v1_DescribeRequest, callback: grpc.requestCallback<_bbdistill_v1_SynthesisDescription__Output>): grpc.ClientUnaryCall;
  
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  Preview(argument: _bbdistill_v1_PreviewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  Preview(argument: _bbdistill_v1_PreviewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  Preview(argument: _bbdistill_v1_PreviewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  Preview(argument: _bbdistill_v1_PreviewRequest, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  preview(argument: _bbdistill_v1_PreviewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  preview(argument: _bbdistill_v1_PreviewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  preview(argument: _bbdistill_v1_PreviewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  preview(argument: _bbdistill_v1_PreviewRequest, callback: grpc.requestCallback<_bbdistill_v1_PreviewResponse__Output>): grpc.ClientUnaryCall;
  
  SubmitFit(argument: _bbdistill_v1_FitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitFit(argument: _bbdistill_v1_FitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitFit(argument: _bbdistill_v1_FitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitFit(argument: _bbdistill_v1_FitRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitFit(argument: _bbdistill_v1_FitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitFit(argument: _bbdistill_v1_FitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitFit(argument: _bbdistill_v1_FitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitFit(argument: _bbdistill_v1_FitRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  SubmitGenerate(argument: _bbdistill_v1_GenerateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitGenerate(argument: _bbdistill_v1_GenerateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitGenerate(argument: _bbdistill_v1_GenerateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitGenerate(argument: _bbdistill_v1_GenerateRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitGenerate(argument: _bbdistill_v1_GenerateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitGenerate(argument: _bbdistill_v1_GenerateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitGenerate(argument: _bbdistill_v1_GenerateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitGenerate(argument: _bbdistill_v1_GenerateRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  SubmitMix(argument: _bbdistill_v1_MixRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitMix(argument: _bbdistill_v1_MixRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitMix(argument: _bbdistill_v1_MixRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitMix(argument: _bbdistill_v1_MixRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitMix(argument: _bbdistill_v1_MixRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitMix(argument: _bbdistill_v1_MixRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitMix(argument: _bbdistill_v1_MixRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitMix(argument: _bbdistill_v1_MixRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  WatchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  WatchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  
}

export interface SynthesisServiceHandlers extends grpc.UntypedServiceImplementation {
  CancelJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  Describe: grpc.handleUnaryCall<_bbdistill_v1_DescribeRequest__Output, _bbdistill_v1_SynthesisDescription>;
  
  GetJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  Preview: grpc.handleUnaryCall<_bbdistill_v1_PreviewRequest__Output, _bbdistill_v1_PreviewResponse>;
  
  SubmitFit: grpc.handleUnaryCall<_bbdistill_v1_FitRequest__Output, _bbdistill_v1_Job>;
  
  SubmitGenerate: grpc.handleUnaryCall<_bbdistill_v1_GenerateRequest__Output, _bbdistill_v1_Job>;
  
  SubmitMix: grpc.handleUnaryCall<_bbdistill_v1_MixRequest__Output, _bbdistill_v1_Job>;
  
  WatchJob: grpc.handleServerStreamingCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
}

export interface SynthesisServiceDefinition extends grpc.ServiceDefinition {
  CancelJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  Describe: MethodDefinition<_bbdistill_v1_DescribeRequest, _bbdistill_v1_SynthesisDescription, _bbdistill_v1_DescribeRequest__Output, _bbdistill_v1_SynthesisDescription__Output>
  GetJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  Preview: MethodDefinition<_bbdistill_v1_PreviewRequest, _bbdistill_v1_PreviewResponse, _bbdistill_v1_PreviewRequest__Output, _bbdistill_v1_PreviewResponse__Output>
  SubmitFit: MethodDefinition<_bbdistill_v1_FitRequest, _bbdistill_v1_Job, _bbdistill_v1_FitRequest__Output, _bbdistill_v1_Job__Output>
  SubmitGenerate: MethodDefinition<_bbdistill_v1_GenerateRequest, _bbdistill_v1_Job, _bbdistill_v1_GenerateRequest__Output, _bbdistill_v1_Job__Output>
  SubmitMix: MethodDefinition<_bbdistill_v1_MixRequest, _bbdistill_v1_Job, _bbdistill_v1_MixRequest__Output, _bbdistill_v1_Job__Output>
  WatchJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
}
