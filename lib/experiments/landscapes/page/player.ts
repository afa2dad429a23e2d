/** Time: a step that moves while it plays. */
export class Player {
  private cursor = 0;
  private playing = false;
  private last = 0;
  /** Steps per second. */
  speed = 120;

  /** @param onChange called when the step or whether it plays has changed */
  constructor(
    readonly steps: number,
    private readonly onChange: () => void,
  ) {}

  get step(): number {
    return Math.floor(this.cursor);
  }

  get isPlaying(): boolean {
    return this.playing;
  }

  play(): void {
    if (this.playing) return;
    if (this.cursor >= this.steps) this.cursor = 0;
    this.playing = true;
    this.last = performance.now();
    requestAnimationFrame(this.tick);
    this.onChange();
  }

  pause(): void {
    this.playing = false;
    this.onChange();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Goes to a step, held within what there is. */
  go(step: number): void {
    this.cursor = Math.min(Math.max(step, 0), this.steps);
    this.onChange();
  }

  private readonly tick = (now: number): void => {
    if (!this.playing) return;
    // After a pause of the whole page (a hidden tab) it goes on where it was.
    const seconds = Math.min(Math.max(now - this.last, 0) / 1000, 0.1);
    this.last = now;
    this.cursor = Math.min(this.cursor + seconds * this.speed, this.steps);
    if (this.cursor >= this.steps) this.playing = false;
    else requestAnimationFrame(this.tick);
    this.onChange();
  };
}
