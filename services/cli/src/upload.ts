export { uploadImages } from '@bbdistill/client';
export type { ImagesToUpload } from '@bbdistill/client';
