// Original file: proto/bbdistill/v1/teacher.proto


export interface DescribeTeacherRequest {
  'teacher'?: (string);
}

export interface DescribeTeacherRequest__Output {
  'teacher': (string);
}
