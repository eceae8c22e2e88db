// Runs before the first paint, so that a chosen theme never flashes the other one. A page's policy
// forbids inline scripts, hence a file.
try {
  const theme = localStorage.getItem("elanus.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the system's theme it is.
}
