(() => {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector(".theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; button.title = `Show this page ${isDark() ? "light" : "dark"}`; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("details:not([open])")]; folded.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => { folded.forEach((d) => { d.open = false; }); });

  const tip = document.querySelector(".tip");
  const hide = () => { tip.hidden = true; document.querySelectorAll(".mark.at").forEach((m) => m.classList.remove("at")); };
  const place = (mark) => {
    const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), root.clientWidth - own.width - 8);
    const above = box.top - own.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  };
  const show = (mark) => {
    hide();
    mark.classList.add("at");
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    place(mark);
  };
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest?.("[data-tip]");
    if (mark) show(mark); else hide();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  // Focus itself may scroll, and a box scrolls under its own event: the words stay with their mark.
  addEventListener("scroll", () => { const mark = document.querySelector(".mark.at"); if (mark) place(mark); }, { passive: true, capture: true });

  // A chart is one stop of the Tab key; the arrow keys walk through its marks.
  document.querySelectorAll("svg.chart").forEach((chart) => {
    const title = chart.querySelector("title"), marks = [...chart.querySelectorAll("[data-tip]")];
    // The browser would show the title over our own words.
    chart.setAttribute("aria-label", title.textContent);
    chart.setAttribute("aria-describedby", chart.querySelector("desc").id);
    chart.removeAttribute("aria-labelledby");
    title.remove();
    if (!marks.length) return;
    let at = -1;
    chart.setAttribute("tabindex", "0");
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.min(Math.max(at + step, 0), marks.length - 1);
      show(marks[at]);
    });
    chart.addEventListener("blur", () => { at = -1; hide(); });
  });
})();
