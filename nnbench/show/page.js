
(() => {
  const all = (what, where = document) => [...where.querySelectorAll(what)];
  const make = (name, words = {}, inside = "") => {
    const made = Object.assign(document.createElement(name), words);
    made.append(inside);
    return made;
  };
  const page = document.body;

  // One network everywhere: its marks and rows stay, the others fade.
  const numberOf = (one) =>
    one.dataset.n ?? [...one.classList].find((name) => /^n\d+$/.test(name))?.slice(1);
  let chosen = null;
  const choose = (number) => {
    chosen = chosen === number ? null : number;
    page.classList.toggle("chosen", chosen !== null);
    all(".m, [data-n]").forEach((one) => one.classList.toggle("on", numberOf(one) === chosen));
    all(".legend button").forEach((one) =>
      one.setAttribute("aria-pressed", one.parentNode.dataset.n === chosen));
  };
  all(".legend.networks li").forEach((item) => {
    const button = make("button", { type: "button", onclick: () => choose(item.dataset.n) });
    button.setAttribute("aria-pressed", "false");
    button.append(...item.childNodes);
    item.append(button);
  });

  // What a mark says, where one points at it, or steps through them by arrow keys.
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("role", "status");
  page.append(tip);
  let at = null;
  const leave = () => {
    at?.classList.remove("at");
    at = null;
    tip.hidden = true;
  };
  const show = (mark, x, y) => {
    leave();
    at = mark;
    mark.classList.add("at");
    tip.textContent = mark.told;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + box.height + 24 > innerHeight ? y - box.height - 8 : y + 16}px`;
  };
  all(".m").forEach((mark) => {
    const title = mark.querySelector("title");
    mark.told = title.textContent;
    title.remove();
    mark.addEventListener("pointermove", (event) => show(mark, event.clientX, event.clientY));
    mark.addEventListener("pointerleave", leave);
    const number = numberOf(mark);
    if (number !== undefined) mark.addEventListener("click", () => choose(number));
  });
  all(".plot").forEach((plot) => {
    const marks = all(".m", plot);
    if (!marks.length) return;
    plot.setAttribute("aria-description", "Arrow keys step through the values");
    plot.addEventListener("blur", leave);
    plot.addEventListener("keydown", (event) => {
      const now = marks.indexOf(at);
      const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1,
        Home: 0, End: marks.length - 1 }[event.key];
      if (event.key === "Escape") leave();
      if (event.key === "Enter" && at && numberOf(at) !== undefined) choose(numberOf(at));
      if (next === undefined) return;
      event.preventDefault();
      const mark = marks[(next + marks.length) % marks.length];
      const box = mark.getBoundingClientRect();
      show(mark, box.right, box.top + box.height / 2);
    });
  });

  // Tables of figures: sorted by any column, filtered by words, compared with any network.
  const told = document.getElementById("ratios-told");
  const ratios = told ? JSON.parse(told.textContent) : null;
  all("table.figures").forEach((table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length < 2) return;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" }, head.textContent);
      head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
        const order = (one, other) => {
          const [a, b] = [key(one), key(other)];
          const difference = isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b;
          return down ? -difference : difference;
        };
        body.append(...[...rows].sort(order));
      });
    });
    const tools = make("div", { className: "tools" });
    const search = make("input", { type: "search" });
    const count = make("span", { className: "dim" });
    count.setAttribute("role", "status");
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      });
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = shown < rows.length ? `${shown} of ${rows.length}` : "";
    });
    const label = make("label", {}, "Filter ");
    label.append(search);
    tools.append(label, count);
    if (ratios && table.id === "all-figures") {
      const select = make("select");
      ratios.names.forEach((name, place) => select.append(make("option", { value: place }, name)));
      const base = make("label", {}, "Compare with ");
      base.append(select);
      tools.append(base);
      select.addEventListener("change", () => {
        all("td[data-k]", body).forEach((cell) => {
          const [phase, group, row] = cell.dataset.k.split("/");
          const text = ratios[phase][group]?.[row]?.[select.value] ?? "–";
          const [value, span] = text.split("|");
          cell.textContent = value;
          cell.dataset.v = parseFloat(value.replace(/,/g, "")) || 0;
          if (span) cell.append(make("span", {}, span));
        });
      });
    }
    table.parentNode.before(tools);
  });

  // A chart as a file, in the colours it is shown in.
  const file = (name, blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
  };
  const drawn = (svg) => {
    const style = getComputedStyle(svg);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ");
    const text = new XMLSerializer().serializeToString(svg)
      .replace(/var\((--\w+)\)/g, (_, name) => style.getPropertyValue(name).trim())
      .replaceAll("currentColor", style.color)
      .replace(/style="[^"]*"/, `width="${width}" height="${height}" fill="${style.color}" ` +
        `style="font-family:sans-serif;background:${getComputedStyle(page).backgroundColor}"`);
    return { text, width: +width, height: +height };
  };
  const kinds = {
    SVG: (svg, name) =>
      file(`${name}.svg`, new Blob([drawn(svg).text], { type: "image/svg+xml" })),
    PNG: (svg, name) => {
      const { text, width, height } = drawn(svg);
      const canvas = make("canvas", { width: 2 * width, height: 2 * height });
      const image = new Image();
      image.onload = () => {
        const pen = canvas.getContext("2d");
        pen.fillStyle = getComputedStyle(page).backgroundColor;
        pen.fillRect(0, 0, canvas.width, canvas.height);
        pen.drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob((blob) => file(`${name}.png`, blob));
      };
      image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
    },
  };
  all("figure").forEach((figure) => {
    const plot = figure.querySelector(".plot");
    const place = figure.querySelector(".get");
    if (!plot || !place) return;
    for (const [kind, get] of Object.entries(kinds)) {
      const button = make("button", { type: "button" }, kind);
      button.setAttribute("aria-label", `${plot.getAttribute("aria-label")} as ${kind}`);
      button.addEventListener("click", () => get(plot.querySelector("svg"), plot.dataset.name || "chart"));
      place.append(" ", button);
    }
  });
  addEventListener("beforeprint", () => all("details").forEach((one) => { one.open = true; }));
})();
