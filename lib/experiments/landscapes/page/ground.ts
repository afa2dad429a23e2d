import type { Paper } from './canvas';

/** A picture under what moves, painted anew only when something that it shows has changed. */
export class Ground {
  private painted: string | undefined;
  private canvas: HTMLCanvasElement | undefined;

  /**
   * @param shows all that the picture depends on, beside the size of the paper
   * @param paint paints it in pixels of the canvas, `density` to one of the paper
   */
  on(
    { width, height, density }: Paper,
    shows: readonly (string | number | boolean)[],
    paint: (context: CanvasRenderingContext2D) => void,
  ): HTMLCanvasElement {
    const key = [width, height, density, ...shows].join();
    this.canvas ??= document.createElement('canvas');
    if (this.painted === key) return this.canvas;
    // It is empty after that, and its context as new.
    [this.canvas.width, this.canvas.height] = [Math.max(1, width * density), Math.max(1, height * density)];
    paint(this.canvas.getContext('2d')!);
    this.painted = key;
    return this.canvas;
  }
}
