import type { Random } from '../../../lib/random';
import type { Rectangle } from './resize';

/** How images are cut out for training. */
export const AUGMENTATIONS = ['full', 'crop', 'none'] as const;

/**
 * `full`: random crop and mirroring, for photographs. `crop`: only the crop, for images whose mirror image is something
 * else, such as digits. `none`: the whole image.
 */
export type Augmentation = (typeof AUGMENTATIONS)[number];

/** What becomes of an image. */
export interface Cut {
  readonly rectangle: Rectangle;
  /** Mirrors left and right. */
  readonly flip: boolean;
}

const AREA = [0.08, 1] as const;
const ASPECT = [3 / 4, 4 / 3] as const;
const TRIES = 10;

const centred = (imageWidth: number, imageHeight: number, width: number, height: number): Rectangle => ({
  left: (imageWidth - width) / 2,
  top: (imageHeight - height) / 2,
  width,
  height,
});

/** The middle square, `share` of the shorter side wide: what is evaluated. */
export function centreCrop(width: number, height: number, share: number): Rectangle {
  const side = Math.max(1, share * Math.min(width, height));
  return centred(width, height, side, side);
}

/**
 * A rectangle of 8 to 100 % of the area and a ratio of sides from 3:4 to 4:3 (Szegedy et al. 2014, *Going Deeper with
 * Convolutions*, section 6); the middle square after ten that did not fit.
 */
export function randomCrop(random: Random, width: number, height: number): Rectangle {
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  for (let i = 0; i < TRIES; i++) {
    const area = width * height * between(...AREA);
    const aspect = Math.exp(between(Math.log(ASPECT[0]), Math.log(ASPECT[1])));
    const [w, h] = [Math.sqrt(area * aspect), Math.sqrt(area / aspect)];
    if (w <= width && h <= height) {
      return { left: between(0, width - w), top: between(0, height - h), width: w, height: h };
    }
  }
  return centreCrop(width, height, 1);
}

/** A cut for training, drawn from `random`. */
export function trainingCut(augmentation: Augmentation, random: Random, width: number, height: number): Cut {
  if (augmentation === 'none') return { rectangle: centreCrop(width, height, 1), flip: false };
  const rectangle = randomCrop(random, width, height);
  return { rectangle, flip: augmentation === 'full' && random.uniform() < 0.5 };
}
