/** A canvas made as large as its box, drawn in CSS pixels whatever the screen's density. */
export interface Paper {
  readonly context: CanvasRenderingContext2D;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly density: number;
}

/** Fits the canvas to its box and clears it. */
export function paperOf(canvas: HTMLCanvasElement): Paper {
  const density = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext('2d')!;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, density };
}

/** The marker of an optimizer: its shape says the same as its colour. */
export function drawMarker(
  context: CanvasRenderingContext2D,
  shape: number,
  x: number,
  y: number,
  size: number,
  colour: string,
  edge: string,
): void {
  context.save();
  context.translate(x, y);
  context.beginPath();
  const polygon = (sides: number, turn: number, radius: number): void => {
    for (let i = 0; i < sides; i++) {
      const angle = turn + (2 * Math.PI * i) / sides;
      context.lineTo(radius * Math.cos(angle), radius * Math.sin(angle));
    }
    context.closePath();
  };
  if (shape === 0) context.arc(0, 0, size * 1.1, 0, 2 * Math.PI);
  else if (shape === 1) polygon(4, Math.PI / 4, size * 1.2);
  else if (shape === 2) polygon(3, -Math.PI / 2, size * 1.3);
  else if (shape === 3) polygon(4, 0, size * 1.3);
  else polygon(3, Math.PI / 2, size * 1.3);
  context.lineWidth = 2;
  context.strokeStyle = edge;
  context.stroke();
  context.fillStyle = colour;
  context.fill();
  context.restore();
}
