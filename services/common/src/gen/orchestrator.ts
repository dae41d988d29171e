import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { AnswerShard as _bbdistill_v1_AnswerShard, AnswerShard__Output as _bbdistill_v1_AnswerShard__Output } from './bbdistill/v1/AnswerShard.js';
import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from './bbdistill/v1/BlobRef.js';
import type { Budget as _bbdistill_v1_Budget, Budget__Output as _bbdistill_v1_Budget__Output } from './bbdistill/v1/Budget.js';
import type { CountCachedRequest as _bbdistill_v1_CountCachedRequest, CountCachedRequest__Output as _bbdistill_v1_CountCachedRequest__Output } from './bbdistill/v1/CountCachedRequest.js';
import type { CountCachedResponse as _bbdistill_v1_CountCachedResponse, CountCachedResponse__Output as _bbdistill_v1_CountCachedResponse__Output } from './bbdistill/v1/CountCachedResponse.js';
import type { CreateRunRequest as _bbdistill_v1_CreateRunRequest, CreateRunRequest__Output as _bbdistill_v1_CreateRunRequest__Output } from './bbdistill/v1/CreateRunRequest.js';
import type { CvaeConfig as _bbdistill_v1_CvaeConfig, CvaeConfig__Output as _bbdistill_v1_CvaeConfig__Output } from './bbdistill/v1/CvaeConfig.js';
import type { Dataset as _bbdistill_v1_Dataset, Dataset__Output as _bbdistill_v1_Dataset__Output } from './bbdistill/v1/Dataset.js';
import type { DeleteRunResponse as _bbdistill_v1_DeleteRunResponse, DeleteRunResponse__Output as _bbdistill_v1_DeleteRunResponse__Output } from './bbdistill/v1/DeleteRunResponse.js';
import type { DescribeRequest as _bbdistill_v1_DescribeRequest, DescribeRequest__Output as _bbdistill_v1_DescribeRequest__Output } from './bbdistill/v1/DescribeRequest.js';
import type { DescribeTeacherRequest as _bbdistill_v1_DescribeTeacherRequest, DescribeTeacherRequest__Output as _bbdistill_v1_DescribeTeacherRequest__Output } from './bbdistill/v1/DescribeTeacherRequest.js';
import type { DistillationServiceClient as _bbdistill_v1_DistillationServiceClient, DistillationServiceDefinition as _bbdistill_v1_DistillationServiceDefinition } from './bbdistill/v1/DistillationService.js';
import type { DownloadArtifactRequest as _bbdistill_v1_DownloadArtifactRequest, DownloadArtifactRequest__Output as _bbdistill_v1_DownloadArtifactRequest__Output } from './bbdistill/v1/DownloadArtifactRequest.js';
import type { DownloadArtifactResponse as _bbdistill_v1_DownloadArtifactResponse, DownloadArtifactResponse__Output as _bbdistill_v1_DownloadArtifactResponse__Output } from './bbdistill/v1/DownloadArtifactResponse.js';
import type { EpochMetrics as _bbdistill_v1_EpochMetrics, EpochMetrics__Output as _bbdistill_v1_EpochMetrics__Output } from './bbdistill/v1/EpochMetrics.js';
import type { EvaluateRequest as _bbdistill_v1_EvaluateRequest, EvaluateRequest__Output as _bbdistill_v1_EvaluateRequest__Output } from './bbdistill/v1/EvaluateRequest.js';
import type { EvaluateResult as _bbdistill_v1_EvaluateResult, EvaluateResult__Output as _bbdistill_v1_EvaluateResult__Output } from './bbdistill/v1/EvaluateResult.js';
import type { EvaluationSpec as _bbdistill_v1_EvaluationSpec, EvaluationSpec__Output as _bbdistill_v1_EvaluationSpec__Output } from './bbdistill/v1/EvaluationSpec.js';
import type { ExportRequest as _bbdistill_v1_ExportRequest, ExportRequest__Output as _bbdistill_v1_ExportRequest__Output } from './bbdistill/v1/ExportRequest.js';
import type { ExportResult as _bbdistill_v1_ExportResult, ExportResult__Output as _bbdistill_v1_ExportResult__Output } from './bbdistill/v1/ExportResult.js';
import type { ExportedFile as _bbdistill_v1_ExportedFile, ExportedFile__Output as _bbdistill_v1_ExportedFile__Output } from './bbdistill/v1/ExportedFile.js';
import type { Failure as _bbdistill_v1_Failure, Failure__Output as _bbdistill_v1_Failure__Output } from './bbdistill/v1/Failure.js';
import type { FitEpoch as _bbdistill_v1_FitEpoch, FitEpoch__Output as _bbdistill_v1_FitEpoch__Output } from './bbdistill/v1/FitEpoch.js';
import type { FitRequest as _bbdistill_v1_FitRequest, FitRequest__Output as _bbdistill_v1_FitRequest__Output } from './bbdistill/v1/FitRequest.js';
import type { FitResult as _bbdistill_v1_FitResult, FitResult__Output as _bbdistill_v1_FitResult__Output } from './bbdistill/v1/FitResult.js';
import type { GenerateRequest as _bbdistill_v1_GenerateRequest, GenerateRequest__Output as _bbdistill_v1_GenerateRequest__Output } from './bbdistill/v1/GenerateRequest.js';
import type { GenerateResult as _bbdistill_v1_GenerateResult, GenerateResult__Output as _bbdistill_v1_GenerateResult__Output } from './bbdistill/v1/GenerateResult.js';
import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from './bbdistill/v1/ImageShape.js';
import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from './bbdistill/v1/ImageShard.js';
import type { Job as _bbdistill_v1_Job, Job__Output as _bbdistill_v1_Job__Output } from './bbdistill/v1/Job.js';
import type { JobRequest as _bbdistill_v1_JobRequest, JobRequest__Output as _bbdistill_v1_JobRequest__Output } from './bbdistill/v1/JobRequest.js';
import type { LabelImagesRequest as _bbdistill_v1_LabelImagesRequest, LabelImagesRequest__Output as _bbdistill_v1_LabelImagesRequest__Output } from './bbdistill/v1/LabelImagesRequest.js';
import type { LabelImagesResponse as _bbdistill_v1_LabelImagesResponse, LabelImagesResponse__Output as _bbdistill_v1_LabelImagesResponse__Output } from './bbdistill/v1/LabelImagesResponse.js';
import type { LabelRequest as _bbdistill_v1_LabelRequest, LabelRequest__Output as _bbdistill_v1_LabelRequest__Output } from './bbdistill/v1/LabelRequest.js';
import type { LabelResult as _bbdistill_v1_LabelResult, LabelResult__Output as _bbdistill_v1_LabelResult__Output } from './bbdistill/v1/LabelResult.js';
import type { LabelledShard as _bbdistill_v1_LabelledShard, LabelledShard__Output as _bbdistill_v1_LabelledShard__Output } from './bbdistill/v1/LabelledShard.js';
import type { ListRunsRequest as _bbdistill_v1_ListRunsRequest, ListRunsRequest__Output as _bbdistill_v1_ListRunsRequest__Output } from './bbdistill/v1/ListRunsRequest.js';
import type { ListRunsResponse as _bbdistill_v1_ListRunsResponse, ListRunsResponse__Output as _bbdistill_v1_ListRunsResponse__Output } from './bbdistill/v1/ListRunsResponse.js';
import type { ListTeachersRequest as _bbdistill_v1_ListTeachersRequest, ListTeachersRequest__Output as _bbdistill_v1_ListTeachersRequest__Output } from './bbdistill/v1/ListTeachersRequest.js';
import type { ListTeachersResponse as _bbdistill_v1_ListTeachersResponse, ListTeachersResponse__Output as _bbdistill_v1_ListTeachersResponse__Output } from './bbdistill/v1/ListTeachersResponse.js';
import type { LookUpRequest as _bbdistill_v1_LookUpRequest, LookUpRequest__Output as _bbdistill_v1_LookUpRequest__Output } from './bbdistill/v1/LookUpRequest.js';
import type { MixRequest as _bbdistill_v1_MixRequest, MixRequest__Output as _bbdistill_v1_MixRequest__Output } from './bbdistill/v1/MixRequest.js';
import type { MixResult as _bbdistill_v1_MixResult, MixResult__Output as _bbdistill_v1_MixResult__Output } from './bbdistill/v1/MixResult.js';
import type { NetworkDescription as _bbdistill_v1_NetworkDescription, NetworkDescription__Output as _bbdistill_v1_NetworkDescription__Output } from './bbdistill/v1/NetworkDescription.js';
import type { PlanRunRequest as _bbdistill_v1_PlanRunRequest, PlanRunRequest__Output as _bbdistill_v1_PlanRunRequest__Output } from './bbdistill/v1/PlanRunRequest.js';
import type { PlanRunResponse as _bbdistill_v1_PlanRunResponse, PlanRunResponse__Output as _bbdistill_v1_PlanRunResponse__Output } from './bbdistill/v1/PlanRunResponse.js';
import type { PreviewRequest as _bbdistill_v1_PreviewRequest, PreviewRequest__Output as _bbdistill_v1_PreviewRequest__Output } from './bbdistill/v1/PreviewRequest.js';
import type { PreviewResponse as _bbdistill_v1_PreviewResponse, PreviewResponse__Output as _bbdistill_v1_PreviewResponse__Output } from './bbdistill/v1/PreviewResponse.js';
import type { Progress as _bbdistill_v1_Progress, Progress__Output as _bbdistill_v1_Progress__Output } from './bbdistill/v1/Progress.js';
import type { QueryCounts as _bbdistill_v1_QueryCounts, QueryCounts__Output as _bbdistill_v1_QueryCounts__Output } from './bbdistill/v1/QueryCounts.js';
import type { RateLimit as _bbdistill_v1_RateLimit, RateLimit__Output as _bbdistill_v1_RateLimit__Output } from './bbdistill/v1/RateLimit.js';
import type { ResumeRunRequest as _bbdistill_v1_ResumeRunRequest, ResumeRunRequest__Output as _bbdistill_v1_ResumeRunRequest__Output } from './bbdistill/v1/ResumeRunRequest.js';
import type { Run as _bbdistill_v1_Run, Run__Output as _bbdistill_v1_Run__Output } from './bbdistill/v1/Run.js';
import type { RunEvent as _bbdistill_v1_RunEvent, RunEvent__Output as _bbdistill_v1_RunEvent__Output } from './bbdistill/v1/RunEvent.js';
import type { RunRequest as _bbdistill_v1_RunRequest, RunRequest__Output as _bbdistill_v1_RunRequest__Output } from './bbdistill/v1/RunRequest.js';
import type { RunSpec as _bbdistill_v1_RunSpec, RunSpec__Output as _bbdistill_v1_RunSpec__Output } from './bbdistill/v1/RunSpec.js';
import type { SourceAugmentation as _bbdistill_v1_SourceAugmentation, SourceAugmentation__Output as _bbdistill_v1_SourceAugmentation__Output } from './bbdistill/v1/SourceAugmentation.js';
import type { StageStatus as _bbdistill_v1_StageStatus, StageStatus__Output as _bbdistill_v1_StageStatus__Output } from './bbdistill/v1/StageStatus.js';
import type { StudentSpec as _bbdistill_v1_StudentSpec, StudentSpec__Output as _bbdistill_v1_StudentSpec__Output } from './bbdistill/v1/StudentSpec.js';
import type { StudentTrainerServiceClient as _bbdistill_v1_StudentTrainerServiceClient, StudentTrainerServiceDefinition as _bbdistill_v1_StudentTrainerServiceDefinition } from './bbdistill/v1/StudentTrainerService.js';
import type { SynthesisDescription as _bbdistill_v1_SynthesisDescription, SynthesisDescription__Output as _bbdistill_v1_SynthesisDescription__Output } from './bbdistill/v1/SynthesisDescription.js';
import type { SynthesisServiceClient as _bbdistill_v1_SynthesisServiceClient, SynthesisServiceDefinition as _bbdistill_v1_SynthesisServiceDefinition } from './bbdistill/v1/SynthesisService.js';
import type { SynthesisSpec as _bbdistill_v1_SynthesisSpec, SynthesisSpec__Output as _bbdistill_v1_SynthesisSpec__Output } from './bbdistill/v1/SynthesisSpec.js';
import type { TeacherDescription as _bbdistill_v1_TeacherDescription, TeacherDescription__Output as _bbdistill_v1_TeacherDescription__Output } from './bbdistill/v1/TeacherDescription.js';
import type { TeacherServiceClient as _bbdistill_v1_TeacherServiceClient, TeacherServiceDefinition as _bbdistill_v1_TeacherServiceDefinition } from './bbdistill/v1/TeacherService.js';
import type { TrainRequest as _bbdistill_v1_TrainRequest, TrainRequest__Output as _bbdistill_v1_TrainRequest__Output } from './bbdistill/v1/TrainRequest.js';
import type { TrainResult as _bbdistill_v1_TrainResult, TrainResult__Output as _bbdistill_v1_TrainResult__Output } from './bbdistill/v1/TrainResult.js';
import type { TrainerDescription as _bbdistill_v1_TrainerDescription, TrainerDescription__Output as _bbdistill_v1_TrainerDescription__Output } from './bbdistill/v1/TrainerDescription.js';
import type { TrainingPart as _bbdistill_v1_TrainingPart, TrainingPart__Output as _bbdistill_v1_TrainingPart__Output } from './bbdistill/v1/TrainingPart.js';
import type { TrainingRecipe as _bbdistill_v1_TrainingRecipe, TrainingRecipe__Output as _bbdistill_v1_TrainingRecipe__Output } from './bbdistill/v1/TrainingRecipe.js';
import type { UploadHeader as _bbdistill_v1_UploadHeader, UploadHeader__Output as _bbdistill_v1_UploadHeader__Output } from './bbdistill/v1/UploadHeader.js';
import type { UploadImagesRequest as _bbdistill_v1_UploadImagesRequest, UploadImagesRequest__Output as _bbdistill_v1_UploadImagesRequest__Output } from './bbdistill/v1/UploadImagesRequest.js';
import type { UsageLine as _bbdistill_v1_UsageLine, UsageLine__Output as _bbdistill_v1_UsageLine__Output } from './bbdistill/v1/UsageLine.js';
import type { UsageRequest as _bbdistill_v1_UsageRequest, UsageRequest__Output as _bbdistill_v1_UsageRequest__Output } from './bbdistill/v1/UsageRequest.js';
import type { UsageResponse as _bbdistill_v1_UsageResponse, UsageResponse__Output as _bbdistill_v1_UsageResponse__Output } from './bbdistill/v1/UsageResponse.js';
import type { WatchRunRequest as _bbdistill_v1_WatchRunRequest, WatchRunRequest__Output as _bbdistill_v1_WatchRunRequest__Output } from './bbdistill/v1/WatchRunRequest.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  bbdistill: {
    v1: {
      AnswerShard: MessageTypeDefinition<_bbdistill_v1_AnswerShard, _bbdistill_v1_AnswerShard__Output>
      BlobRef: MessageTypeDefinition<_bbdistill_v1_BlobRef, _bbdistill_v1_BlobRef__Output>
      Budget: MessageTypeDefinition<_bbdistill_v1_Budget, _bbdistill_v1_Budget__Output>
      CountCachedRequest: MessageTypeDefinition<_bbdistill_v1_CountCachedRequest, _bbdistill_v1_CountCachedRequest__Output>
      CountCachedResponse: MessageTypeDefinition<_bbdistill_v1_CountCachedResponse, _bbdistill_v1_CountCachedResponse__Output>
      CreateRunRequest: MessageTypeDefinition<_bbdistill_v1_CreateRunRequest, _bbdistill_v1_CreateRunRequest__Output>
      CvaeConfig: MessageTypeDefinition<_bbdistill_v1_CvaeConfig, _bbdistill_v1_CvaeConfig__Output>
      Dataset: MessageTypeDefinition<_bbdistill_v1_Dataset, _bbdistill_v1_Dataset__Output>
      DeleteRunResponse: MessageTypeDefinition<_bbdistill_v1_DeleteRunResponse, _bbdistill_v1_DeleteRunResponse__Output>
      DescribeRequest: MessageTypeDefinition<_bbdistill_v1_DescribeRequest, _bbdistill_v1_DescribeRequest__Output>
      DescribeTeacherRequest: MessageTypeDefinition<_bbdistill_v1_DescribeTeacherRequest, _bbdistill_v1_DescribeTeacherRequest__Output>
      DistillationService: SubtypeConstructor<typeof grpc.Client, _bbdistill_v1_DistillationServiceClient> & { service: _bbdistill_v1_DistillationServiceDefinition }
      DownloadArtifactRequest: MessageTypeDefinition<_bbdistill_v1_DownloadArtifactRequest, _bbdistill_v1_DownloadArtifactRequest__Output>
      DownloadArtifactResponse: MessageTypeDefinition<_bbdistill_v1_DownloadArtifactResponse, _bbdistill_v1_DownloadArtifactResponse__Output>
      EpochMetrics: MessageTypeDefinition<_bbdistill_v1_EpochMetrics, _bbdistill_v1_EpochMetrics__Output>
      EvaluateRequest: MessageTypeDefinition<_bbdistill_v1_EvaluateRequest, _bbdistill_v1_EvaluateRequest__Output>
      EvaluateResult: MessageTypeDefinition<_bbdistill_v1_EvaluateResult, _bbdistill_v1_EvaluateResult__Output>
      EvaluationSpec: MessageTypeDefinition<_bbdistill_v1_EvaluationSpec, _bbdistill_v1_EvaluationSpec__Output>
      ExportRequest: MessageTypeDefinition<_bbdistill_v1_ExportRequest, _bbdistill_v1_ExportRequest__Output>
      ExportResult: MessageTypeDefinition<_bbdistill_v1_ExportResult, _bbdistill_v1_ExportResult__Output>
      ExportedFile: MessageTypeDefinition<_bbdistill_v1_ExportedFile, _bbdistill_v1_ExportedFile__Output>
      Failure: MessageTypeDefinition<_bbdistill_v1_Failure, _bbdistill_v1_Failure__Output>
      FitEpoch: MessageTypeDefinition<_bbdistill_v1_FitEpoch, _bbdistill_v1_FitEpoch__Output>
      FitRequest: MessageTypeDefinition<_bbdistill_v1_FitRequest, _bbdistill_v1_FitRequest__Output>
      FitResult: MessageTypeDefinition<_bbdistill_v1_FitResult, _bbdistill_v1_FitResult__Output>
      GenerateRequest: MessageTypeDefinition<_bbdistill_v1_GenerateRequest, _bbdistill_v1_GenerateRequest__Output>
      GenerateResult: MessageTypeDefinition<_bbdistill_v1_GenerateResult, _bbdistill_v1_GenerateResult__Output>
      ImageShape: MessageTypeDefinition<_bbdistill_v1_ImageShape, _bbdistill_v1_ImageShape__Output>
      ImageShard: MessageTypeDefinition<_bbdistill_v1_ImageShard, _bbdistill_v1_ImageShard__Output>
      Job: MessageTypeDefinition<_bbdistill_v1_Job, _bbdistill_v1_Job__Output>
      JobRequest: MessageTypeDefinition<_bbdistill_v1_JobRequest, _bbdistill_v1_JobRequest__Output>
      JobState: EnumTypeDefinition
      LabelImagesRequest: MessageTypeDefinition<_bbdistill_v1_LabelImagesRequest, _bbdistill_v1_LabelImagesRequest__Output>
      LabelImagesResponse: MessageTypeDefinition<_bbdistill_v1_LabelImagesResponse, _bbdistill_v1_LabelImagesResponse__Output>
      LabelRequest: MessageTypeDefinition<_bbdistill_v1_LabelRequest, _bbdistill_v1_LabelRequest__Output>
      LabelResult: MessageTypeDefinition<_bbdistill_v1_LabelResult, _bbdistill_v1_LabelResult__Output>
      LabelledShard: MessageTypeDefinition<_bbdistill_v1_LabelledShard, _bbdistill_v1_LabelledShard__Output>
      ListRunsRequest: MessageTypeDefinition<_bbdistill_v1_ListRunsRequest, _bbdistill_v1_ListRunsRequest__Output>
      ListRunsResponse: MessageTypeDefinition<_bbdistill_v1_ListRunsResponse, _bbdistill_v1_ListRunsResponse__Output>
      ListTeachersRequest: MessageTypeDefinition<_bbdistill_v1_ListTeachersRequest, _bbdistill_v1_ListTeachersRequest__Output>
      ListTeachersResponse: MessageTypeDefinition<_bbdistill_v1_ListTeachersResponse, _bbdistill_v1_ListTeachersResponse__Output>
      LookUpRequest: MessageTypeDefinition<_bbdistill_v1_LookUpRequest, _bbdistill_v1_LookUpRequest__Output>
      MixRequest: MessageTypeDefinition<_bbdistill_v1_MixRequest, _bbdistill_v1_MixRequest__Output>
      MixResult: MessageTypeDefinition<_bbdistill_v1_MixResult, _bbdistill_v1_MixResult__Output>
      NetworkDescription: MessageTypeDefinition<_bbdistill_v1_NetworkDescription, _bbdistill_v1_NetworkDescription__Output>
      Phase: EnumTypeDefinition
      PlanRunRequest: MessageTypeDefinition<_bbdistill_v1_PlanRunRequest, _bbdistill_v1_PlanRunRequest__Output>
      PlanRunResponse: MessageTypeDefinition<_bbdistill_v1_PlanRunResponse, _bbdistill_v1_PlanRunResponse__Output>
      PreviewRequest: MessageTypeDefinition<_bbdistill_v1_PreviewRequest, _bbdistill_v1_PreviewRequest__Output>
      PreviewResponse: MessageTypeDefinition<_bbdistill_v1_PreviewResponse, _bbdistill_v1_PreviewResponse__Output>
      Progress: MessageTypeDefinition<_bbdistill_v1_Progress, _bbdistill_v1_Progress__Output>
      QueryCounts: MessageTypeDefinition<_bbdistill_v1_QueryCounts, _bbdistill_v1_QueryCounts__Output>
      RateLimit: MessageTypeDefinition<_bbdistill_v1_RateLimit, _bbdistill_v1_RateLimit__Output>
      ResumeRunRequest: MessageTypeDefinition<_bbdistill_v1_ResumeRunRequest, _bbdistill_v1_ResumeRunRequest__Output>
      Run: MessageTypeDefinition<_bbdistill_v1_Run, _bbdistill_v1_Run__Output>
      RunEvent: MessageTypeDefinition<_bbdistill_v1_RunEvent, _bbdistill_v1_RunEvent__Output>
      RunRequest: MessageTypeDefinition<_bbdistill_v1_RunRequest, _bbdistill_v1_RunRequest__Output>
      RunSpec: MessageTypeDefinition<_bbdistill_v1_RunSpec, _bbdistill_v1_RunSpec__Output>
      RunState: EnumTypeDefinition
      SourceAugmentation: MessageTypeDefinition<_bbdistill_v1_SourceAugmentation, _bbdistill_v1_SourceAugmentation__Output>
      StageStatus: MessageTypeDefinition<_bbdistill_v1_StageStatus, _bbdistill_v1_StageStatus__Output>
      StudentSpec: MessageTypeDefinition<_bbdistill_v1_StudentSpec, _bbdistill_v1_StudentSpec__Output>
      StudentTrainerService: SubtypeConstructor<typeof grpc.Client, _bbdistill_v1_StudentTrainerServiceClient> & { service: _bbdistill_v1_StudentTrainerServiceDefinition }
      SynthesisDescription: MessageTypeDefinition<_bbdistill_v1_SynthesisDescription, _bbdistill_v1_SynthesisDescription__Output>
      SynthesisService: SubtypeConstructor<typeof grpc.Client, _bbdistill_v1_SynthesisServiceClient> & { service: _bbdistill_v1_SynthesisServiceDefinition }
      SynthesisSpec: MessageTypeDefinition<_bbdistill_v1_SynthesisSpec, _bbdistill_v1_SynthesisSpec__Output>
      TeacherDescription: MessageTypeDefinition<_bbdistill_v1_TeacherDescription, _bbdistill_v1_TeacherDescription__Output>
      TeacherService: SubtypeConstructor<typeof grpc.Client, _bbdistill_v1_TeacherServiceClient> & { service: _bbdistill_v1_TeacherServiceDefinition }
      TrainRequest: MessageTypeDefinition<_bbdistill_v1_TrainRequest, _bbdistill_v1_TrainRequest__Output>
      TrainResult: MessageTypeDefinition<_bbdistill_v1_TrainResult, _bbdistill_v1_TrainResult__Output>
      TrainerDescription: MessageTypeDefinition<_bbdistill_v1_TrainerDescription, _bbdistill_v1_TrainerDescription__Output>
      TrainingPart: MessageTypeDefinition<_bbdistill_v1_TrainingPart, _bbdistill_v1_TrainingPart__Output>
      TrainingRecipe: MessageTypeDefinition<_bbdistill_v1_TrainingRecipe, _bbdistill_v1_TrainingRecipe__Output>
      UploadHeader: MessageTypeDefinition<_bbdistill_v1_UploadHeader, _bbdistill_v1_UploadHeader__Output>
      UploadImagesRequest: MessageTypeDefinition<_bbdistill_v1_UploadImagesRequest, _bbdistill_v1_UploadImagesRequest__Output>
      UsageLine: MessageTypeDefinition<_bbdistill_v1_UsageLine, _bbdistill_v1_UsageLine__Output>
      UsageRequest: MessageTypeDefinition<_bbdistill_v1_UsageRequest, _bbdistill_v1_UsageRequest__Output>
      UsageResponse: MessageTypeDefinition<_bbdistill_v1_UsageResponse, _bbdistill_v1_UsageResponse__Output>
      WatchRunRequest: MessageTypeDefinition<_bbdistill_v1_WatchRunRequest, _bbdistill_v1_WatchRunRequest__Output>
    }
  }
}

