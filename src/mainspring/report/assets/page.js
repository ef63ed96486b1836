"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const store = key => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private */ } };
  const byId = id => document.getElementById(id);
  const css = name => getComputedStyle(root).getPropertyValue(name).trim();

  // Colours that people with and without colour blindness tell apart (Okabe and Ito, 2008).
  const palette = ["#2b7fc4", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#999933"];
  const colour = index => palette[index % palette.length];
  const several = data.runs.length > 1;
  document.querySelectorAll("[data-swatch]").forEach(item => {
    item.style.background = colour(+item.dataset.swatch);
  });

  const hidden = new Set();
  let charts = [];

  const smoothed = (values, weight) => {
    let average = 0, total = 0;
    return values.map(value => {
      average = weight * average + (1 - weight) * value;
      total = weight * total + (1 - weight);
      return average / total;
    });
  };

  // How a number reads best: as it is, or with an exponent where it is tiny or huge.
  const short = value => value == null ? "–"
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential(2)
    : String(+value.toPrecision(4));

  const place = (x, run) => {
    const length = data.runs[run].epochLength;
    return byId("by-epoch").checked && length ? x.map(at => at / length) : x;
  };

  function draw() {
    charts.forEach(chart => chart.destroy());
    charts = [];
    const host = byId("curves");
    host.textContent = "";
    const weight = +byId("smooth").value, logarithmic = byId("log").checked;
    const sync = uPlot.sync("curves");
    for (const panel of data.panels) {
      const curves = panel.curves.filter(curve => !hidden.has(curve.run));
      if (!curves.length) continue;
      const box = host.appendChild(document.createElement("div"));
      box.className = "panel";
      box.appendChild(document.createElement("h4")).textContent = panel.name;
      const tables = [], series = [{ label: byId("by-epoch").checked ? "epoch" : "iteration", value: (u, v) => short(v) }];
      for (const curve of curves) {
        const both = new Set(panel.curves.map(other => other.kind)).size > 1;
        const stroke = several ? colour(curve.run) : curve.kind === "train" ? palette[0] : palette[5];
        const label = [several ? data.runs[curve.run].name : "", both || !several ? curve.kind : ""].filter(Boolean).join(" ");
        const isVal = curve.kind === "val";
        const x = place(curve.x, curve.run);
        const style = {
          label, stroke, width: 1.6, spanGaps: true, value: (u, v) => short(v),
          dash: isVal && several && both ? [5, 4] : undefined,
          points: { show: isVal ? curve.x.length <= 60 : curve.x.length < 2, size: 5, fill: stroke },
        };
        if (weight && !isVal && panel.group === 0) {
          tables.push([x, curve.y]);
          series.push({ ...style, width: 1, alpha: 0.3, label: label + " as measured", points: { show: false } });
          tables.push([x, smoothed(curve.y, weight)]);
        } else {
          tables.push([x, curve.y]);
        }
        series.push(style);
      }
      const positive = curves.every(curve => curve.y.every(value => value > 0));
      const axis = {
        stroke: () => css("--muted"), grid: { stroke: () => css("--grid"), width: 1 },
        ticks: { show: false }, font: "11px system-ui, sans-serif",
      };
      charts.push(new uPlot({
        width: box.clientWidth, height: 210, series,
        scales: { x: { time: false }, y: { distr: logarithmic && positive && panel.group === 0 ? 3 : 1 } },
        axes: [
          { ...axis, size: 28, values: (u, ticks) => ticks.map(v => v == null ? "" : short(v)) },
          { ...axis, size: 56, values: (u, ticks) => ticks.map(v => v == null ? "" : short(v)) },
        ],
        cursor: { sync: { key: sync.key, setSeries: false }, points: { size: 6 }, drag: { x: true, y: false } },
        legend: { live: true },
      }, uPlot.join(tables), box));
    }
  }

  function resize() {
    charts.forEach(chart => {
      const width = chart.root.parentElement.clientWidth;
      if (width && width !== chart.width) chart.setSize({ width, height: chart.height });
    });
  }

  const theme = store("mainspring-theme");
  if (theme) root.dataset.theme = theme;
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("mainspring-theme", root.dataset.theme);
    charts.forEach(chart => chart.redraw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(chart => chart.redraw()));
  ["smooth", "log", "by-epoch"].forEach(id => byId(id).addEventListener("input", draw));
  document.querySelectorAll("[data-run]").forEach(box => box.addEventListener("change", () => {
    const run = +box.dataset.run;
    if (box.checked) hidden.delete(run); else hidden.add(run);
    draw();
  }));
  byId("by-epoch-label").hidden = !data.runs.every(run => run.epochLength);
  if (!data.panels.length) byId("curves-section").remove(); else {
    draw();
    addEventListener("resize", resize);
  }

  // A page that a server writes anew is loaded again where it changed; where it was scrolled to stays.
  if (document.body.dataset.reload) {
    let known = null;
    setInterval(async () => {
      try {
        const now = await (await fetch("version", { cache: "no-store" })).text();
        if (known !== null && now !== known) location.reload();
        known = now;
      } catch { /* the server has ended */ }
    }, 2000);
  }
})();
