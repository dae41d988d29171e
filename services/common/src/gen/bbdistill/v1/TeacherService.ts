// Original file: proto/bbdistill/v1/teacher.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CountCachedRequest as _bbdistill_v1_CountCachedRequest, CountCachedRequest__Output as _bbdistill_v1_CountCachedRequest__Output } from '../../bbdistill/v1/CountCachedRequest.js';
import type { CountCachedResponse as _bbdistill_v1_CountCachedResponse, CountCachedResponse__Output as _bbdistill_v1_CountCachedResponse__Output } from '../../bbdistill/v1/CountCachedResponse.js';
import type { DescribeTeacherRequest as _bbdistill_v1_DescribeTeacherRequest, DescribeTeacherRequest__Output as _bbdistill_v1_DescribeTeacherRequest__Output } from '../../bbdistill/v1/DescribeTeacherRequest.js';
import type { Job as _bbdistill_v1_Job, Job__Output as _bbdistill_v1_Job__Output } from '../../bbdistill/v1/Job.js';
import type { JobRequest as _bbdistill_v1_JobRequest, JobRequest__Output as _bbdistill_v1_JobRequest__Output } from '../../bbdistill/v1/JobRequest.js';
import type { LabelImagesRequest as _bbdistill_v1_LabelImagesRequest, LabelImagesRequest__Output as _bbdistill_v1_LabelImagesRequest__Output } from '../../bbdistill/v1/LabelImagesRequest.js';
import type { LabelImagesResponse as _bbdistill_v1_LabelImagesResponse, LabelImagesResponse__Output as _bbdistill_v1_LabelImagesResponse__Output } from '../../bbdistill/v1/LabelImagesResponse.js';
import type { LabelRequest as _bbdistill_v1_LabelRequest, LabelRequest__Output as _bbdistill_v1_LabelRequest__Output } from '../../bbdistill/v1/LabelRequest.js';
import type { LabelResult as _bbdistill_v1_LabelResult, LabelResult__Output as _bbdistill_v1_LabelResult__Output } from '../../bbdistill/v1/LabelResult.js';
import type { ListTeachersRequest as _bbdistill_v1_ListTeachersRequest, ListTeachersRequest__Output as _bbdistill_v1_ListTeachersRequest__Output } from '../../bbdistill/v1/ListTeachersRequest.js';
import type { ListTeachersResponse as _bbdistill_v1_ListTeachersResponse, ListTeachersResponse__Output as _bbdistill_v1_ListTeachersResponse__Output } from '../../bbdistill/v1/ListTeachersResponse.js';
import type { LookUpRequest as _bbdistill_v1_LookUpRequest, LookUpRequest__Output as _bbdistill_v1_LookUpRequest__Output } from '../../bbdistill/v1/LookUpRequest.js';
import type { TeacherDescription as _bbdistill_v1_TeacherDescription, TeacherDescription__Output as _bbdistill_v1_TeacherDescription__Output } from '../../bbdistill/v1/TeacherDescription.js';
import type { UsageRequest as _bbdistill_v1_UsageRequest, UsageRequest__Output as _bbdistill_v1_UsageRequest__Output } from '../../bbdistill/v1/UsageRequest.js';
import type { UsageResponse as _bbdistill_v1_UsageResponse, UsageResponse__Output as _bbdistill_v1_UsageResponse__Output } from '../../bbdistill/v1/UsageResponse.js';

export interface TeacherServiceClient extends grpc.Client {
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  CancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  cancelJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  CountCached(argument: _bbdistill_v1_CountCachedRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  CountCached(argument: _bbdistill_v1_CountCachedRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  CountCached(argument: _bbdistill_v1_CountCachedRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  CountCached(argument: _bbdistill_v1_CountCachedRequest, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  countCached(argument: _bbdistill_v1_CountCachedRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  countCached(argument: _bbdistill_v1_CountCachedRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  countCached(argument: _bbdistill_v1_CountCachedRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  countCached(argument: _bbdistill_v1_CountCachedRequest, callback: grpc.requestCallback<_bbdistill_v1_CountCachedResponse__Output>): grpc.ClientUnaryCall;
  
  DescribeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  DescribeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  DescribeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  DescribeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  describeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  describeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  describeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  describeTeacher(argument: _bbdistill_v1_DescribeTeacherRequest, callback: grpc.requestCallback<_bbdistill_v1_TeacherDescription__Output>): grpc.ClientUnaryCall;
  
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  GetJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  getJob(argument: _bbdistill_v1_JobRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  Label(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesResponse__Output>;
  Label(options?: grpc.CallOptions): grpc.ClientDuplexStream<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesResponse__Output>;
  label(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesResponse__Output>;
  label(options?: grpc.CallOptions): grpc.ClientDuplexStream<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesResponse__Output>;
  
  ListTeachers(argument: _bbdistill_v1_ListTeachersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  ListTeachers(argument: _bbdistill_v1_ListTeachersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  ListTeachers(argument: _bbdistill_v1_ListTeachersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  ListTeachers(argument: _bbdistill_v1_ListTeachersRequest, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  listTeachers(argument: _bbdistill_v1_ListTeachersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  listTeachers(argument: _bbdistill_v1_ListTeachersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  listTeachers(argument: _bbdistill_v1_ListTeachersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  listTeachers(argument: _bbdistill_v1_ListTeachersRequest, callback: grpc.requestCallback<_bbdistill_v1_ListTeachersResponse__Output>): grpc.ClientUnaryCall;
  
  LookUp(argument: _bbdistill_v1_LookUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _bbdistill_v1_LookUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _bbdistill_v1_LookUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _bbdistill_v1_LookUpRequest, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _bbdistill_v1_LookUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _bbdistill_v1_LookUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _bbdistill_v1_LookUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _bbdistill_v1_LookUpRequest, callback: grpc.requestCallback<_bbdistill_v1_LabelResult__Output>): grpc.ClientUnaryCall;
  
  SubmitLabel(argument: _bbdistill_v1_LabelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitLabel(argument: _bbdistill_v1_LabelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitLabel(argument: _bbdistill_v1_LabelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  SubmitLabel(argument: _bbdistill_v1_LabelRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitLabel(argument: _bbdistill_v1_LabelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitLabel(argument: _bbdistill_v1_LabelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitLabel(argument: _bbdistill_v1_LabelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  submitLabel(argument: _bbdistill_v1_LabelRequest, callback: grpc.requestCallback<_bbdistill_v1_Job__Output>): grpc.ClientUnaryCall;
  
  Usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  Usage(argument: _bbdistill_v1_UsageRequest, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  usage(argument: _bbdistill_v1_UsageRequest, callback: grpc.requestCallback<_bbdistill_v1_UsageResponse__Output>): grpc.ClientUnaryCall;
  
  WatchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  WatchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  watchJob(argument: _bbdistill_v1_JobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_bbdistill_v1_Job__Output>;
  
}

export interface TeacherServiceHandlers extends grpc.UntypedServiceImplementation {
  CancelJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  CountCached: grpc.handleUnaryCall<_bbdistill_v1_CountCachedRequest__Output, _bbdistill_v1_CountCachedResponse>;
  
  DescribeTeacher: grpc.handleUnaryCall<_bbdistill_v1_DescribeTeacherRequest__Output, _bbdistill_v1_TeacherDescription>;
  
  GetJob: grpc.handleUnaryCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
  Label: grpc.handleBidiStreamingCall<_bbdistill_v1_LabelImagesRequest__Output, _bbdistill_v1_LabelImagesResponse>;
  
  ListTeachers: grpc.handleUnaryCall<_bbdistill_v1_ListTeachersRequest__Output, _bbdistill_v1_ListTeachersResponse>;
  
  LookUp: grpc.handleUnaryCall<_bbdistill_v1_LookUpRequest__Output, _bbdistill_v1_LabelResult>;
  
  SubmitLabel: grpc.handleUnaryCall<_bbdistill_v1_LabelRequest__Output, _bbdistill_v1_Job>;
  
  Usage: grpc.handleUnaryCall<_bbdistill_v1_UsageRequest__Output, _bbdistill_v1_UsageResponse>;
  
  WatchJob: grpc.handleServerStreamingCall<_bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job>;
  
}

export interface TeacherServiceDefinition extends grpc.ServiceDefinition {
  CancelJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  CountCached: MethodDefinition<_bbdistill_v1_CountCachedRequest, _bbdistill_v1_CountCachedResponse, _bbdistill_v1_CountCachedRequest__Output, _bbdistill_v1_CountCachedResponse__Output>
  DescribeTeacher: MethodDefinition<_bbdistill_v1_DescribeTeacherRequest, _bbdistill_v1_TeacherDescription, _bbdistill_v1_DescribeTeacherRequest__Output, _bbdistill_v1_TeacherDescription__Output>
  GetJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
  Label: MethodDefinition<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesResponse, _bbdistill_v1_LabelImagesRequest__Output, _bbdistill_v1_LabelImagesResponse__Output>
  ListTeachers: MethodDefinition<_bbdistill_v1_ListTeachersRequest, _bbdistill_v1_ListTeachersResponse, _bbdistill_v1_ListTeachersRequest__Output, _bbdistill_v1_ListTeachersResponse__Output>
  LookUp: MethodDefinition<_bbdistill_v1_LookUpRequest, _bbdistill_v1_LabelResult, _bbdistill_v1_LookUpRequest__Output, _bbdistill_v1_LabelResult__Output>
  SubmitLabel: MethodDefinition<_bbdistill_v1_LabelRequest, _bbdistill_v1_Job, _bbdistill_v1_LabelRequest__Output, _bbdistill_v1_Job__Output>
  Usage: MethodDefinition<_bbdistill_v1_UsageRequest, _bbdistill_v1_UsageResponse, _bbdistill_v1_UsageRequest__Output, _bbdistill_v1_UsageResponse__Output>
  WatchJob: MethodDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_Job, _bbdistill_v1_JobRequest__Output, _bbdistill_v1_Job__Output>
}
