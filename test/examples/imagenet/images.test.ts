import { describe, expect, it } from 'vitest';
import { centreCrop, randomCrop, trainingCut } from '../../../examples/imagenet/data/augment';
import { decodeImage } from '../../../examples/imagenet/data/decode';
import type { Pixels } from '../../../examples/imagenet/data/decode';
import { cropAndResize } from '../../../examples/imagenet/data/resize';
import { createRandom } from '../../../lib/random';
import { jpeg, png } from './images';

/** 24×16 pixels of colour (10x, 15y, 60), written by libvips in forms that the encoders at hand lack. */
const WRITTEN = {
  'progressive JPEG, chroma halved':
    '/9j/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0dHx8fExciJCIeJBweHx7/2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh7/wgARCAAQABgDASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAUGB//EABYBAQEBAAAAAAAAAAAAAAAAAAUEBv/aAAwDAQACEAMQAAABz9nSsz45ouQzb//EABYQAAMAAAAAAAAAAAAAAAAAAAADBP/aAAgBAQABBQJcouUXKLlFyi5T/8QAGREAAgMBAAAAAAAAAAAAAAAAAAUEIjFh/9oACAEDAQE/AVrfpHb00//EABgRAAIDAAAAAAAAAAAAAAAAAAAFAgMh/9oACAECAQE/AbmRNlp//8QAFRABAQAAAAAAAAAAAAAAAAAAADH/2gAIAQEABj8CiIiI/8QAFBABAAAAAAAAAAAAAAAAAAAAIP/aAAgBAQABPyFSSSf/2gAMAwEAAgADAAAAEHc//8QAFhEBAQEAAAAAAAAAAAAAAAAAACEx/9oACAEDAQE/EMiQ/8QAFhEBAQEAAAAAAAAAAAAAAAAAAFFh/9oACAECAQE/ENFD/8QAFhAAAwAAAAAAAAAAAAAAAAAAADHB/9oACAEBAAE/EEQIgRAiREiJP//Z',
  'CMYK JPEG':
    '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAFAwQEBAMFBAQEBQUFBgcMCAcHBwcPCwsJDBEPEhIRDxERExYcFxMUGhURERghGBodHR8fHxMXIiQiHiQcHh8e/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EABoAAAIDAQEAAAAAAAAAAAAAAAYHBQgJAQP/xAApEAABAgUCBgIDAQAAAAAAAAABAgMABAUGEQchCBITIjFRQYEyQnFh/9oADgRDAE0AWQBLAAA/AFPw7StFkbiaVWqhPSjRUMlgJI+9gYJK3wXWbMla6dcVVlFYPKFIQtOf98QS07ieoE22thylOU/mGy2VlwA/w4hXTtHvlrvdaD4HwUkGNC7RVS3KGyaVMiZlikYc5+Yn+wlr94X7lttxxTDpnJcHtdSjb79Qv9QNRU1hS3JN/qIV+xOTBVp3OT7U6hE4FMuJP4qGIlGWUNKUU+VeYWs7ptWZNzDjSsjY7QoanUnS44vm3X5EWq07qLkyywlah2pwMRQCl2HVpd1KkNKBB9Rq1C5bnHAc5V9rME71mW86nCpBEOHTWduq3XUdHqFv9kZ2P1Hm+w0+2W3UJWk7EERJyNadaIHWwPQ+YH6tpTb05lbbYaX5BCYsBbdzN1FlCZtlUu8R62MAt1aa0aqczrMuhtw77DaJpmZRNozshRjtCtOoUJ0dJXXZSffcBH//2Q==',
  'grey JPEG':
    '/9j/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0dHx8fExciJCIeJBweHx7/2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh7/wAARCAAQABgDASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAABwAEBv/EACEQAAEDBAEFAAAAAAAAAAAAAAEAAgMEBQahIxESImOR/8QAFAEBAAAAAAAAAAAAAAAAAAAAAP/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AAikw+WNwIjPxdJaMemjI8CnZmC+nS202EFpHDpAY2S1Ss7erSpM9Bh7mkcWlIP/2Q==',
  'PNG of 16 bits per channel':
    'iVBORw0KGgoAAAANSUhEUgAAABgAAAAQEAIAAADT1vSBAAAACXBIWXMAAAPoAAAD6AG1e1JrAAACHElEQVRIiT3UEReuWBSA4c2fXInj5EocJyNxnIzEcTISx8lIHCcjhw8nI/2NmXWe+627WuuBaPd2zo6IiC4+rFizYcuOPQeOnDhz4cqNOw+evHgzMfPhy4j48V8ZqFixZsOWHXsOHDlx5sKVG3cePHnxZmLmw5cRUStUrFizYcvyrgxUHDhy4syFKzfuPHjy4s3EzIcvI+KnQsWKNRu27Nhz4MiJMxeu3Ljz4MmLNxMzH778npEPq981ykDFlr+engNHTpy5cOXGnQdPXryZmPnw/Z7W+EOhYsWaDVt27Dlw5MSZC1du3Hnw5MWbiZkPX0b42g8r1mzYflsUew4cOXHmwpUbdx48efFmYubDlxHxp0LFijUbtuzYc+DIiTMXrty48+DJizcTMx++jPD3P6xYs2H7PRvFngNHTpy5cOXGnQdPXryZmPnwZUT8pVCxYs2GLTv2HDhy4syFKzfuPHjy4s3EzIcvI9yGDyvWbNh+70qx58CRE2cuXLlx58GTF28mZj58GRF/K1SsWLNhy449B46cOHPhyo07D568eDMx8+HLCNvhw4o1G7bf3VHsOXDkxJkLV27cefDkxZuJmQ9fRsQ/ChUr1mzYsmPPgSMnzly4cuPOgycv3kzMfPgywrb8sGLNhu13lxZ7Dhw5cebClRt3Hjx58WZi5sOXEfGvQsWKNRu27Nhz4MiJMxeu3Ljz4MmLNxMzH778H5kgbp9aajOUAAAAAElFTkSuQmCC',
  'PNG with a palette':
    'iVBORw0KGgoAAAANSUhEUgAAABgAAAAQBAMAAAD+CqKmAAAAMFBMVEUfHzwknjxfHzwfYjxpyzybUzwk0jybGDxdYDxrkjzSyzygyzygjzzSjzzSUzzSGDxL6G0FAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAjElEQVQImWNgYGBgUlJSLy+v//+fgYGBQUFJqQjOgch8x5AxMGhoagoKDX337h2DMbMxR0dHayiIx2BsbNzc0REBlTE2tgBzjoI5hs0zZsw5c+bt3bsMgoLCgjNnzpxz5gyYIzgRygZzJCXhMomJKSIu3rt3r1q1iiEtLU3MxQXCA3HcoGwwJyUFygMAYqlV6X7+P1EAAAAASUVORK5CYII=',
} as const;

describe('decodeImage', () => {
  const at = ({ data, width, channels }: Pixels, x: number, y: number): number[] =>
    [...data.subarray((y * width + x) * channels)].slice(0, Math.min(channels, 3));

  it.each([
    ['progressive JPEG, chroma halved', [200, 180, 60], 10],
    // Through the inks' colours and back.
    ['CMYK JPEG', [200, 180, 60], 35],
    ['grey JPEG', [178, 178, 178], 4],
    ['PNG of 16 bits per channel', [200, 180, 60], 2],
    ['PNG with a palette', [200, 180, 60], 30],
  ] as const)('reads a %s', (name, colour, tolerance) => {
    const image = decodeImage(Buffer.from(WRITTEN[name], 'base64'), name);
    expect([image.width, image.height]).toEqual([24, 16]);
    at(image, 20, 12).forEach((value, c) => expect(Math.abs(value - colour[c])).toBeLessThanOrEqual(tolerance));
  });

  it('goes by the bytes, not by the name', () => {
    const image = decodeImage(
      png(3, 2, (x, y) => [10 * x, 10 * y, 7]),
      'photo.JPEG',
    );
    expect([image.width, image.height, at(image, 2, 1)]).toEqual([3, 2, [20, 10, 7]]);
  });

  const whole = jpeg(64, 64, (x, y) => [4 * x, 4 * y, (x * y) % 255]);
  const picture = png(20, 20, (x, y) => [10 * x, 10 * y, x * y]);
  const huge = Buffer.from(picture);
  huge.writeUInt32BE(100_000, 16);
  huge.writeUInt32BE(100_000, 20);
  it.each([
    ['cut JPEG', whole.subarray(0, whole.length / 2), /bad\.jpg: damaged JPEG image \(.*cut off/],
    ['JPEG cut in its header', whole.subarray(0, 30), /bad\.jpg: damaged JPEG/],
    ['JPEG with a header only', Buffer.from('ffd8ffd9', 'hex'), /bad\.jpg: damaged JPEG/],
    ['cut PNG', picture.subarray(0, picture.length - 40), /bad\.jpg: damaged PNG/],
    ['PNG with a flipped bit', Buffer.from(picture).fill(0xff, 60, 64), /bad\.jpg: damaged PNG/],
    ['PNG of ten gigapixels', huge, /bad\.jpg: damaged PNG image \(10000 megapixels, at most 100/],
    ['text', Buffer.from('hello'), /bad\.jpg: expected a JPEG or PNG image, got a file that starts with 68656c6c/],
    ['nothing', Buffer.alloc(0), /bad\.jpg: expected a JPEG or PNG image, got an empty file/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeImage(bytes, 'bad.jpg')).toThrow(message);
  });
});

describe('cropAndResize', () => {
  const gradient: Pixels = {
    width: 8,
    height: 6,
    channels: 3,
    data: Uint8Array.from(
      { length: 144 },
      (_, i) => [20 * (Math.floor(i / 3) % 8), 30 * Math.floor(i / 24), 200][i % 3],
    ),
  };
  const scale = (value: number): number => value / 127.5 - 1;
  const resized = (image: Pixels, size: number, rectangle = centreCrop(image.width, image.height, 1), flip = false) => {
    const out = new Float32Array(size * size * 3);
    cropAndResize(image, rectangle, size, flip, out);
    return (x: number, y: number): number[] => [...out.subarray((y * size + x) * 3, (y * size + x) * 3 + 3)];
  };
  const expectClose = (actual: number[], expected: number[]): void =>
    actual.forEach((value, i) => expect(value).toBeCloseTo(scale(expected[i]), 5));

  it('copies where a pixel becomes a pixel', () => {
    const pixel = resized(gradient, 6);
    for (let y = 0; y < 6; y++) for (let x = 0; x < 6; x++) expectClose(pixel(x, y), [20 * (x + 1), 30 * y, 200]);
  });

  it('mirrors', () => {
    const pixel = resized(gradient, 6, undefined, true);
    expectClose(pixel(0, 2), [120, 60, 200]);
  });

  it('interpolates a gradient exactly when enlarging', () => {
    const pixel = resized(gradient, 8, { left: 2, top: 1, width: 4, height: 4 });
    expectClose(pixel(3, 4), [20 * (2 + 3.5 / 2 - 0.5), 30 * (1 + 4.5 / 2 - 0.5), 200]);
  });

  it('averages when shrinking: stripes become grey', () => {
    const stripes: Pixels = {
      width: 64,
      height: 64,
      channels: 1,
      data: Uint8Array.from({ length: 4096 }, (_, i) => (i & 1) * 255),
    };
    const pixel = resized(stripes, 4);
    for (const value of pixel(1, 2)) expect(Math.abs(value)).toBeLessThan(0.05);
  });

  it('takes an image of one pixel', () => {
    const pixel = resized({ width: 1, height: 1, channels: 4, data: Uint8Array.of(9, 8, 7, 0) }, 3);
    expectClose(pixel(2, 2), [9, 8, 7]);
  });
});

describe('cuts', () => {
  it('lie in the image, and take 8 to 100 % of it', () => {
    const random = createRandom(1);
    for (let i = 0; i < 200; i++) {
      const { left, top, width, height } = randomCrop(random, 50, 40);
      expect(left >= 0 && top >= 0 && left + width <= 50 + 1e-9 && top + height <= 40 + 1e-9).toBe(true);
      const share = (width * height) / 2000;
      expect(share > 0.0799 && share <= 1 && width / height > 0.7499 && width / height < 1.3334).toBe(true);
    }
  });

  it('fall back to the middle where no ratio fits', () => {
    expect(randomCrop(createRandom(1), 1000, 2)).toEqual({ left: 499, top: 0, width: 2, height: 2 });
  });

  it('mirror half of the images, and only with full augmentation', () => {
    const flips = (kind: 'full' | 'crop' | 'none'): number =>
      Array.from({ length: 200 }, (_, i) => trainingCut(kind, createRandom(i), 30, 30)).filter(({ flip }) => flip)
        .length;
    expect(flips('full')).toBeGreaterThan(70);
    expect(flips('full')).toBeLessThan(130);
    expect([flips('crop'), flips('none')]).toEqual([0, 0]);
    expect(trainingCut('none', createRandom(1), 30, 40).rectangle).toEqual({ left: 0, top: 5, width: 30, height: 30 });
  });
});
