import { decode as decodeJpegBytes } from 'jpeg-js';
import { PNG } from 'pngjs';

/** Pixels of an image, one byte per channel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB, 4 RGBA. */
  readonly channels: 1 | 3 | 4;
  /** [height][width][channels] */
  readonly data: Uint8Array;
}

/** An image cannot be decoded. The message names its file. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

/** Larger images are refused instead of taking all memory. */
const MAX_MEGAPIXELS = 100;
const MAX_MEGABYTES = 2048;

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const JPEG_START = Buffer.from([0xff, 0xd8, 0xff]);
const SCAN_START = Buffer.from([0xff, 0xda]);
const JPEG_END = Buffer.from([0xff, 0xd9]);

/** The decoder reads on past the end of a file as if zeros followed. An end in a thumbnail lies before the last scan. */
function requireWholeJpeg(bytes: Buffer): void {
  if (bytes.lastIndexOf(JPEG_END) < bytes.lastIndexOf(SCAN_START)) throw new Error('the JPEG data are cut off');
}

function decodeJpeg(bytes: Buffer): Pixels {
  requireWholeJpeg(bytes);
  const { width, height, data } = decodeJpegBytes(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: MAX_MEGAPIXELS,
    maxMemoryUsageInMB: MAX_MEGABYTES,
  });
  return { width, height, channels: 3, data };
}

function decodePng(bytes: Buffer): Pixels {
  // The size stands in the first chunk: width and height at bytes 16 and 20.
  if (bytes.length >= 24) {
    const megapixels = (bytes.readUInt32BE(16) * bytes.readUInt32BE(20)) / 1e6;
    if (megapixels > MAX_MEGAPIXELS) {
      throw new Error(`${Math.round(megapixels)} megapixels, at most ${MAX_MEGAPIXELS} are allowed`);
    }
  }
  const { width, height, data } = PNG.sync.read(bytes);
  return { width, height, channels: 4, data };
}

/**
 * Decodes a JPEG (baseline or progressive; grey, YCbCr, RGB or CMYK) or a PNG (any depth, palettes). What the bytes are
 * their beginning says, not the file's name: ImageNet has a PNG named .JPEG.
 * @param file names the bytes in error messages
 * @throws {ImageError} if they are neither or damaged
 */
export function decodeImage(bytes: Buffer, file: string): Pixels {
  const isPng = bytes.subarray(0, 8).equals(PNG_SIGNATURE);
  if (!isPng && !bytes.subarray(0, 3).equals(JPEG_START)) {
    const found =
      bytes.length === 0 ? 'an empty file' : `a file that starts with ${bytes.subarray(0, 4).toString('hex')}`;
    throw new ImageError(`${file}: expected a JPEG or PNG image, got ${found}`);
  }
  try {
    const pixels = isPng ? decodePng(bytes) : decodeJpeg(bytes);
    if (!(pixels.width > 0 && pixels.height > 0)) throw new Error('it has no pixels');
    return pixels;
  } catch (error) {
    throw new ImageError(`${file}: damaged ${isPng ? 'PNG' : 'JPEG'} image (${(error as Error).message})`, {
      cause: error,
    });
  }
}
