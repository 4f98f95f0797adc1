// The chart of the searches' networks. Its data and its Vega-Lite chart are in the element #networks-data.
(function () {
  const data = JSON.parse(document.getElementById("networks-data").textContent);
  const rows = data.rows.map(row => Object.fromEntries(row.map((value, i) => [data.columns[i], value])));
  const control = name => document.getElementById("networks-" + name);
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let view = null;

  // Each phase is drawn once in the page, as a symbol.
  function drawing(key) {
    return (data.phases[key] || []).map(id => {
      const box = document.getElementById(id).getAttribute("viewBox");
      const [, , width, height] = box.split(" ");
      return `<svg class="phase" viewBox="${box}" width="${0.62 * width}" height="${0.62 * height}"><use href="#${id}"/></svg>`;
    }).join("");
  }

  function told(value, sanitize) {
    const cells = Object.entries(value).map(([name, text]) => `<tr><th>${sanitize(name)}</th><td>${sanitize(text)}</td></tr>`);
    const key = value.Network;
    const hint = document.getElementById("network-" + key) ? "click: all about it" : "in no final front";
    return `<table>${cells.join("")}</table><div class="phases">${drawing(key)}</div><div class="hint">${hint}</div>`;
  }

  function open(id) {
    const section = id && document.getElementById(id);
    if (!section || section.tagName !== "DETAILS") return;
    section.open = true;
    section.scrollIntoView({ behavior: reduced ? "auto" : "smooth" });
  }

  async function draw() {
    const spec = structuredClone(data.chart);
    spec.data = { name: "networks", values: structuredClone(rows) };
    spec.encoding.x = data.axes[control("x").value];
    spec.encoding.y = data.axes[control("y").value];
    const old = view;
    const made = await vegaEmbed("#networks-chart", spec, {
      mode: "vega-lite", actions: false, renderer: "svg", ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true, formatTooltip: told },
    });
    if (old) old.finalize();
    view = made.view;
    view.addEventListener("click", (_, item) => {
      const key = item && item.datum && item.datum.key;
      const id = "network-" + key;
      if (!key || !document.getElementById(id)) return;
      if (location.hash === "#" + id) open(id);
      else location.hash = id;
    });
    show();
  }

  function show() {
    const generation = Number(control("generation").value);
    control("generation-shown").textContent = generation;
    return view.signal("generation", generation).runAsync();
  }

  control("x").addEventListener("change", draw);
  control("y").addEventListener("change", draw);
  control("generation").addEventListener("input", show);
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  document.documentElement.classList.add("interactive");
  draw().then(() => open(location.hash.slice(1)));
})();
