/** Our own line icons, drawn on a 24 by 24 grid with round ends. */
export const icons = {
  shear: 'M5 4l14 11M5 20L19 9M4 6.5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M4 17.5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0',
  home: 'M4 11l8-7 8 7M6 10v10h12V10',
  folder: 'M3 6h6l2 3h10v10H3z',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  drop: 'M12 4v11M7 10l5 5 5-5M4 17v3h16v-3',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warning: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  info: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 11v5M12 8v.5',
  question: 'M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 16.5v.5',
  close: 'M6 6l12 12M18 6L6 18',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  copy: 'M8 8h11v12H8zM5 16V4h11',
  back: 'M14 6l-6 6 6 6',
  next: 'M10 6l6 6-6 6',
  play: 'M8 5l11 7-11 7z',
  stop: 'M6 6h12v12H6z',
  again: 'M19 12a7 7 0 1 1-2-5M19 4v4h-4',
  export: 'M12 15V4M7 9l5-5 5 5M4 15v5h16v-5',
  report: 'M6 3h12v18H6zM9 8h6M9 12h6M9 16h4',
  table: 'M4 5h16v14H4zM4 10h16M10 5v14',
  chart: 'M4 20h16M7 16v-5M12 16V6M17 16v-8',
  settings: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4M9 14a2 2 0 1 0 0 4a2 2 0 1 0 0-4',
  book: 'M12 6c-2-1.5-4.5-2-8-2v14c3.5 0 6 .5 8 2c2-1.5 4.5-2 8-2V4c-3.5 0-6 .5-8 2zM12 6v14',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
} as const;

/** Name of one of our icons. */
export type IconName = keyof typeof icons;
