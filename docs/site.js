// Makes code that scrolls reachable by keyboard, and names the parts of the page for screen readers.
for (const code of document.querySelectorAll("pre > code")) code.tabIndex = 0;
document.getElementById("mdbook-menu-bar")?.setAttribute("role", "banner");
// A label has no state.
document.getElementById("mdbook-sidebar-toggle")?.removeAttribute("aria-expanded");
// A label may not have an `aria-label`; its title says the same.
document.getElementById("mdbook-sidebar-toggle")?.removeAttribute("aria-label");
