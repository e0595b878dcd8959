// Links of the portal before this one keep what they ask for behind "#":
// …/#/createOrder?productCode=CERT272353 leads on to /createOrder?productCode=….
"use strict";
(() => {
  const [path, query] = location.hash.slice(1).split("?");
  const code = new URLSearchParams(query || "").get("productCode");
  if (path === "/createOrder" && code) location.replace("/createOrder?" + new URLSearchParams({ productCode: code }));
})();
