"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const root = document.documentElement;

  // Theme: as the system, or one of the two; kept for the next time where the browser allows.
  const themes = ["system", "light", "dark"];
  const themeButton = document.getElementById("theme");
  const setTheme = (name) => {
    if (name === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = name;
    themeButton.textContent = `Theme: ${name}`;
    try { localStorage.setItem("brinery-theme", name); } catch { /* a page without storage */ }
  };
  let theme = "system";
  try { theme = localStorage.getItem("brinery-theme") ?? theme; } catch { /* a page without storage */ }
  if (!themes.includes(theme)) theme = "system";
  setTheme(theme);
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    setTheme(theme);
  });

  // Tables: a head is a button that sorts by its column; empty values stay last.
  const collator = new Intl.Collator("en", { numeric: true });
  for (const table of all("table[data-sortable]")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sortRows(table.tBodies[0], column, !head.classList.contains("text"), up);
      });
    });
  }
  function sortRows(body, column, numeric, up) {
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      const text = cell.dataset.sort ?? (numeric ? cell.textContent.replaceAll(",", "") : cell.textContent);
      return { row, key: numeric ? parseFloat(text) : text };
    });
    const missing = (key) => (numeric ? Number.isNaN(key) : key === "");
    keyed.sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return missing(a.key) - missing(b.key);
      return (numeric ? a.key - b.key : collator.compare(a.key, b.key)) * (up ? 1 : -1);
    });
    body.append(...keyed.map((one) => one.row));
  }

  // Navigation: the section in sight is marked.
  const links = new Map(all("nav a").map((link) => [link.getAttribute("href").slice(1), link]));
  const seen = new Map();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) seen.set(entry.target.id, entry.isIntersecting);
    const now = [...links.keys()].find((id) => seen.get(id));
    if (!now) return;
    for (const [id, link] of links) {
      if (id === now) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const bar = document.querySelector("nav");
    if (bar.scrollWidth > bar.clientWidth) bar.scrollLeft = links.get(now).offsetLeft - 40;
  }, { rootMargin: "-10% 0px -60% 0px" });
  all("main > section").forEach((section) => watcher.observe(section));

  // A file held in the page is saved unpacked where the browser can.
  const inflate = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const save = (name, content, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
  };
  const canInflate = typeof DecompressionStream === "function";
  for (const link of canInflate ? all("a.download") : []) {
    const packed = link.href.slice(link.href.indexOf(",") + 1);
    link.download = link.textContent = link.download.replace(/\.gz$/, "");
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      save(link.download, await inflate(decode(packed)).blob(), "application/json");
    });
  }

  // Tables are saved as CSV, with their numbers as they were measured.
  const unpacked = async (id) => inflate(decode(document.getElementById(id).textContent)).text();
  for (const [place, table] of (canInflate ? all("main table") : []).entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", `Save as CSV: ${table.caption.textContent}`);
    button.addEventListener("click", async () => {
      const [name, csv] = JSON.parse(await unpacked("tables"))[place];
      save(`${name}.csv`, csv, "text/csv");
    });
    table.parentElement.after(button);
  }

  // Charts: the drawing that stands there is replaced as it comes near, when the library has been unpacked.
  const library = document.getElementById("library");
  if (!library || !canInflate) return;
  const charts = all(".chart");
  const views = new Map();
  let embed = null;
  let specs = {};
  const unpack = () => (embed ??= Promise.all(
    ["library", "charts"].map(unpacked),
  ).then(([code, json]) => {
    specs = JSON.parse(json);
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
    return window.vegaEmbed;
  }));
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "800px 0px" });
  charts.forEach((chart) => near.observe(chart));
  window.brineryDrawAll = () => Promise.all(charts.map((chart) => { near.unobserve(chart); return draw(chart); }));

  async function draw(chart) {
    if (chart.dataset.drawn) return;
    chart.dataset.drawn = "now";
    const vegaEmbed = await unpack();
    const width = chart.clientWidth;
    const spec = fitted(structuredClone(specs[chart.id]), chart.dataset.fit, width);
    const holder = document.createElement("div");
    holder.setAttribute("aria-hidden", "true"); // the chart around it is named and described
    chart.append(holder);
    const { view } = await vegaEmbed(holder, spec, {
      ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true },
    });
    views.set(chart.id, { view, chart, holder, width });
    chart.classList.add("live");
    chart.dataset.drawn = "yes";
    if (chart.dataset.fit === "timeline") startZoom(views.get(chart.id));
  }
  function fitted(spec, fit, width) {
    if (width < 420) spec.config.legend.columns = fit === "timeline" ? 1 : 2;
    if (fit !== "cells") return { ...spec, width, autosize: { type: "fit-x", contains: "padding" } };
    const { least, edge, gap, most } = spec.usermeta;
    const room = width - edge - 14;
    const columns = Math.max(1, Math.min(most, Math.floor((room + gap) / (least + gap))));
    spec.columns = columns;
    spec.spec.width = Math.floor((room - gap * (columns - 1)) / columns);
    return spec;
  }
  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const one of [...views.values()]) {
        const { view, chart, holder, width } = one;
        if (Math.abs(chart.clientWidth - width) < 2) continue;
        if (chart.dataset.fit === "cells") {
          view.finalize();
          holder.remove();
          chart.classList.remove("live");
          delete chart.dataset.drawn;
          near.observe(chart);
        } else {
          one.width = chart.clientWidth;
          view.width(chart.clientWidth).runAsync();
        }
      }
    }, 150);
  });

  // Timelines zoom together: by buttons and keys, or by dragging across one.
  const bar = document.querySelector(".zoom");
  if (!bar) return;
  const whole = [0, parseFloat(bar.dataset.end)];
  let shown = whole;
  const output = bar.querySelector("output");
  function zoomTo(from, to) {
    const least = whole[1] / 500;
    const length = Math.min(whole[1], Math.max(least, to - from));
    const start = Math.min(Math.max(0, from), whole[1] - length);
    shown = [start, start + length];
    output.textContent = `${shown[0].toFixed(1)} to ${shown[1].toFixed(1)} s`;
    for (const { view, chart } of views.values()) {
      if (chart.dataset.fit === "timeline") view.signal("from", shown[0]).signal("to", shown[1]).runAsync();
    }
  }
  const [a, b] = [() => shown[0], () => shown[1]];
  const steps = {
    in: () => zoomTo(a() + (b() - a()) / 4, b() - (b() - a()) / 4),
    out: () => zoomTo(a() - (b() - a()) / 2, b() + (b() - a()) / 2),
    left: () => zoomTo(a() - (b() - a()) / 3, b() - (b() - a()) / 3),
    right: () => zoomTo(a() + (b() - a()) / 3, b() + (b() - a()) / 3),
    all: () => zoomTo(...whole),
  };
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all" };
  bar.hidden = false;
  zoomTo(...whole);
  all("button[data-step]", bar).forEach((button) => button.addEventListener("click", steps[button.dataset.step]));
  function startZoom({ view, chart, holder }) {
    view.signal("from", shown[0]).signal("to", shown[1]).runAsync();
    const scroller = chart.closest(".scroller");
    scroller.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      steps[keys[event.key]]();
    });
    let begin = null;
    const mark = document.createElement("div");
    mark.className = "picked";
    mark.hidden = true;
    holder.append(mark);
    const at = (event) => event.clientX - holder.getBoundingClientRect().left;
    const time = (x) => view.scale("x").invert(x - view.origin()[0]);
    holder.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      begin = at(event);
      event.preventDefault();
    });
    window.addEventListener("pointermove", (event) => {
      if (begin === null) return;
      const [left, right] = [begin, at(event)].sort((one, two) => one - two);
      mark.hidden = right - left < 4;
      mark.style.left = `${left}px`;
      mark.style.width = `${right - left}px`;
    });
    window.addEventListener("pointerup", (event) => {
      if (begin === null) return;
      const [left, right] = [begin, at(event)].sort((one, two) => one - two);
      begin = null;
      mark.hidden = true;
      if (right - left >= 4) zoomTo(time(left), time(right));
    });
    holder.addEventListener("dblclick", steps.all);
  }
})();
