// The swipe: two of the page's own maps over each other. Without scripts the section stays hidden and the maps below tell the same.
(() => {
  const byId = (name) => document.getElementById(name);
  const section = byId("swipe");
  if (section === null) return;
  const range = byId("swipe-range");
  const show = () => {
    for (const side of ["left", "right"]) {
      const shown = byId(`swipe-${side}`);
      const map = byId(`map-${byId(`choose-${side}`).value}`);
      shown.src = map.src;
      shown.alt = `${side}: ${map.alt}`;
      const keys = map.parentElement.querySelector("figcaption").cloneNode(true);
      byId(`keys-${side}`).replaceChildren(side === "left" ? "Left: " : "Right: ", ...keys.childNodes);
    }
  };
  const swipe = () => {
    section.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `left map on ${Math.round(range.value)} % of the width`);
  };
  range.addEventListener("input", swipe);
  for (const side of ["left", "right"]) byId(`choose-${side}`).addEventListener("change", show);
  const follow = (event) => {
    const frame = byId("swipe-maps").getBoundingClientRect();
    range.value = (100 * (event.clientX - frame.left)) / frame.width;
    swipe();
  };
  byId("swipe-maps").addEventListener("pointerdown", follow);
  byId("swipe-maps").addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  show();
  swipe();
  section.hidden = false;
})();
