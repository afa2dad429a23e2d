import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { build } from 'tsup';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeLandscapesPage } from '../../lib/experiments/landscapes/page';
import { landscapesPage } from '../../tsup.config';
import { launchChromium, skipsBrowser } from './chromium';

const STEPS = 120;
/** Seven seconds at the speed at which the page plays by itself. */
const LONG_STEPS = 900;

describe.skipIf(skipsBrowser())('the page of landscapes in a browser', { timeout: 60_000 }, () => {
  let folder: string;
  let index: string;
  /** A page of runs that do not end while a test looks at them. */
  let longIndex: string;
  let browser: Browser;
  let page: Page;
  /** What must not happen: errors, and requests for anything that is not a file of the page. */
  let complaints: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lo-page-'));
    const built = join(folder, 'built');
    await build({ ...landscapesPage, config: false, outDir: built });
    const write = async (out: string, steps: number, slugs: string[]): Promise<string> =>
      (await writeLandscapesPage({ out: join(folder, out), assets: join(built, 'landscapes'), seed: 0, steps, slugs }))
        .index;
    index = await write('page', STEPS, ['rosenbrock', 'booth']);
    longIndex = await write('page-long', LONG_STEPS, ['booth']);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page; with `reducedMotion` it does not begin to play by itself. */
  async function open(options: BrowserContextOptions = {}, file = index): Promise<void> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 1400 },
      reducedMotion: 'reduce',
      ...options,
    });
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    const root = pathToFileURL(dirname(file)).href;
    page.on('request', (request) => {
      if (!request.url().startsWith(root) && request.url() !== 'data:,') complaints.push(`request ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await page.waitForFunction(() => document.getElementById('step')!.textContent !== '');
  }

  beforeEach(() => open());
  afterEach(async () => {
    await page.context().close();
    const found = complaints;
    complaints = [];
    expect(found).toEqual([]);
  });

  const at = (id: string): Locator => page.locator(`#${id}`);
  const text = (id: string): Promise<string> => at(id).innerText();
  const step = async (): Promise<number> => Number((await text('step')).split(' / ')[0]);
  /** Everything that is drawn on a canvas. */
  const picture = (id: string): Promise<string> =>
    page.evaluate((name) => (document.getElementById(name) as HTMLCanvasElement).toDataURL(), id);
  /** Waits until what was changed has been drawn. */
  const drawn = (): Promise<void> =>
    page.evaluate(
      () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
    );
  const choice = (name: string, value: string): Locator => page.locator(`input[name="${name}"][value="${value}"]`);

  /** Which canvases a change redraws differently. */
  async function changes(change: () => Promise<unknown>): Promise<string[]> {
    const ids = ['surface', 'heights', 'etas', 'momenta'];
    await drawn();
    const before = await Promise.all(ids.map(picture));
    await change();
    await drawn();
    const after = await Promise.all(ids.map(picture));
    return ids.filter((_, i) => before[i] !== after[i]);
  }
  const everything = ['surface', 'heights', 'etas', 'momenta'];

  it('plays by itself, to the end, and pauses', async () => {
    await page.context().close();
    await open({ reducedMotion: 'no-preference' }, longIndex);
    const first = await picture('surface');
    const from = await step();
    await page.waitForFunction(
      (old) => Number(document.getElementById('step')!.textContent!.split(' / ')[0]) > old,
      from,
    );
    expect(await picture('surface')).not.toBe(first);
    await at('play').click();
    await drawn();
    const paused = await step();
    await page.waitForTimeout(150);
    expect(await step()).toBe(paused);
    expect(await at('play').getAttribute('aria-label')).toBe('Play');
    await at('speed').selectOption('400');
    await at('play').click();
    await page.waitForFunction(
      (steps) => document.getElementById('step')!.textContent === `${steps} / ${steps}`,
      LONG_STEPS,
    );
    await drawn();
    expect(await at('play').getAttribute('aria-label')).toBe('Play');
    // Played out, it begins again.
    await at('play').click();
    await page.waitForFunction(
      (steps) => Number(document.getElementById('step')!.textContent!.split(' / ')[0]) < steps,
      LONG_STEPS,
    );
  });

  it('does not begin by itself for whoever wants little motion', async () => {
    await page.waitForTimeout(200);
    expect(await step()).toBe(0);
  });

  it('goes step by step with buttons and keys', async () => {
    expect(await changes(() => at('forward').click())).toEqual(everything);
    expect(await step()).toBe(1);
    await at('forward').click();
    await at('back').click();
    await drawn();
    expect(await step()).toBe(1);
    await at('restart').click();
    await drawn();
    expect(await step()).toBe(0);
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    for (const [key, expected] of [
      ['ArrowRight', 1],
      ['End', STEPS],
      ['ArrowLeft', STEPS - 1],
      ['Home', 0],
    ] as const) {
      await page.keyboard.press(key);
      await drawn();
      expect(await step()).toBe(expected);
    }
    await page.keyboard.press(' ');
    await page.waitForFunction(() => !document.getElementById('step')!.textContent!.startsWith('0 '));
    expect(await at('play').getAttribute('aria-label')).toBe('Pause');
  });

  // Tried again, for the machine may have other things to do in one of the two.
  it('plays faster at a higher speed', { retry: 3 }, async () => {
    /** Steps per second of the page's own clock. */
    const speedAt = async (value: string): Promise<number> => {
      await at('speed').selectOption(value);
      await at('restart').click();
      return page.evaluate(async () => {
        const shown = (): number => Number(document.getElementById('step')!.textContent!.split(' / ')[0]);
        const play = document.getElementById('play')!;
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
        while (shown() !== 0) await frame();
        const began = performance.now();
        play.click();
        while (shown() < 4) await frame();
        const speed = (1000 * shown()) / (performance.now() - began);
        play.click();
        return speed;
      });
    };
    expect(await speedAt('40')).toBeGreaterThan(1.4 * (await speedAt('10')));
  });

  it('goes where the scrubber, or a click on a chart, says', async () => {
    expect(await changes(() => at('scrubber').fill('60'))).toEqual(everything);
    expect(await step()).toBe(60);
    for (const id of ['heights', 'etas', 'momenta']) {
      await at('scrubber').fill('60');
      const box = (await at(id).boundingBox())!;
      await at(id).click({ position: { x: box.width * 0.9, y: box.height / 2 } });
      await drawn();
      expect(await step()).toBeGreaterThan(90);
    }
  });

  it('shows another landscape', async () => {
    const about = await text('about');
    const choose = async (): Promise<void> => {
      await at('landscape').selectOption('booth');
      await page.waitForFunction((old) => document.getElementById('about')!.innerText !== old, about);
    };
    expect(await changes(choose)).toEqual(everything);
    expect(await at('landscape').locator('option').allInnerTexts()).toEqual(['Rosenbrock', 'Booth']);
  });

  it('starts where the slider says', async () => {
    await at('scrubber').fill('100');
    expect(await changes(() => at('start').fill('2'))).toEqual(everything);
    expect(await text('start-value')).toMatch(/^3 of 9: \(/);
    expect(await text('status')).toContain('recorded by the package');
  });

  it('starts where the map is clicked, live, and moves the start with arrow keys', async () => {
    await at('scrubber').fill('100');
    const box = (await at('surface').boundingBox())!;
    const click = () => at('surface').click({ position: { x: box.width / 4, y: box.height / 2 } });
    expect(await changes(click)).toEqual(everything);
    expect(await text('start-value')).toBe('your own: (−1, 1)');
    expect(await text('status')).toContain('runs live in this page');
    for (const id of ['learned', 'adam', 'rmsprop', 'momentum', 'sgd']) {
      expect(await text(`height-${id}`)).toMatch(/\d/);
    }
    await page.keyboard.press('ArrowRight');
    await drawn();
    expect(await text('start-value')).toBe('your own: (−0.92, 1)');
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 4);
    await page.mouse.up();
    await drawn();
    expect(await text('start-value')).toBe('your own: (0, 2)');
  });

  it('takes the initial rate of the slider, for the learned optimizer and for the others', async () => {
    await at('scrubber').fill('100');
    await drawn();
    const adam = await text('height-adam');
    expect(await changes(() => at('rate').fill('2'))).toEqual(everything);
    expect(await text('rate-value')).toBe('1e-4');
    // The others keep their tuned rates until told otherwise.
    expect(await text('height-adam')).toBe(adam);
    expect(await changes(() => choice('rates', 'slider').check())).toEqual(['surface', 'heights']);
    expect(await text('height-adam')).not.toBe(adam);
    expect(await text('rate-title')).toBe('Rate');
    await at('rate').fill('10');
    await drawn();
    expect(await text('height-sgd')).toBe('diverged');
    expect(await text('status')).toContain('takes 1 as a hint and begins at 0.001');
    await choice('rates', 'tuned').check();
    await drawn();
    expect(await text('height-adam')).toBe(adam);
  });

  it.each(['learned', 'adam', 'rmsprop', 'momentum', 'sgd'])('switches %s off and on', async (id) => {
    await at('scrubber').fill('100');
    const expected = id === 'learned' ? everything : ['surface', 'heights'];
    expect(await changes(() => at(`show-${id}`).uncheck())).toEqual(expected);
    expect(await changes(() => at(`show-${id}`).check())).toEqual(expected);
  });

  it('shows the relief, which turns by dragging and by keys', async () => {
    await at('scrubber').fill('100');
    expect(await changes(() => choice('view', 'relief').check())).toEqual(['surface']);
    const box = (await at('surface').boundingBox())!;
    const drag = async (): Promise<void> => {
      await page.mouse.move(box.x + 200, box.y + 200);
      await page.mouse.down();
      await page.mouse.move(box.x + 260, box.y + 220);
      await page.mouse.up();
    };
    expect(await changes(drag)).toEqual(['surface']);
    await at('surface').focus();
    expect(await changes(() => page.keyboard.press('ArrowUp'))).toEqual(['surface']);
    expect(await changes(() => choice('view', 'map').check())).toEqual(['surface']);
  });

  it('shows the momenta of the other coordinate', async () => {
    await at('scrubber').fill('100');
    expect(await changes(() => choice('coordinate', '1').check())).toEqual(['momenta']);
  });

  it('is light or dark as the system is, or as chosen', async () => {
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    expect(await changes(() => at('theme').selectOption('dark'))).toEqual(everything);
    const dark = await ground();
    expect(dark).not.toBe(light);
    await at('theme').selectOption('auto');
    expect(await ground()).toBe(light);
    expect(await changes(() => page.emulateMedia({ colorScheme: 'dark' }))).toEqual(everything);
    expect(await ground()).toBe(dark);
    await at('theme').selectOption('light');
    expect(await ground()).toBe(light);
  });

  it('fits a phone: nothing is wider than the screen', async () => {
    await page.context().close();
    await open({ viewport: { width: 360, height: 740 } });
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(content).toBeLessThanOrEqual(screen);
    expect((await at('surface').boundingBox())!.width).toBeGreaterThan(280);
  });

  it('reaches every control by keyboard, each with a name', async () => {
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const reached = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      reached.add(
        await page.evaluate(() => {
          const { id, name } = document.activeElement as HTMLInputElement;
          return id || name || 'none';
        }),
      );
    }
    const controls = [
      ...['theme', 'landscape', 'view', 'surface', 'restart', 'back', 'play', 'forward', 'scrubber', 'speed'],
      ...['start', 'rate', 'rates', 'show-learned', 'show-adam', 'show-sgd', 'coordinate'],
    ];
    expect([...reached]).toEqual(expect.arrayContaining(controls));
    for (const role of ['button', 'slider', 'combobox', 'checkbox', 'radio'] as const) {
      for (const control of await page.getByRole(role).all()) {
        const label = await control.evaluate(
          (node: Element) =>
            node.getAttribute('aria-label') ?? (node as HTMLInputElement).labels?.[0]?.textContent?.trim(),
        );
        expect(label).toMatch(/\S/);
      }
    }
  });
});
