// The key page: one attempt runs from finding the agent to the confirmed
// certificate; any failure ends it, and 重试 begins a new one that goes on where
// the last one stopped (the agent and the server both remember).
"use strict";
(() => {
  const desk = document.querySelector("[data-key-page]");
  if (!desk) return;
  const { ask, all, problem } = window.kit;
  const base = desk.dataset.keyPage, words = JSON.parse(desk.dataset.words);
  const part = (sel) => desk.querySelector(sel);
  let agent = null, stopPing = null, step = "", turn = 0, waitingForKey = false;

  // ── what the visitor sees ────────────────────────────────────────────────
  const show = (id) => {
    let art = "";
    all("[data-panel]", desk).forEach((p) => { p.hidden = p.dataset.panel !== id; if (!p.hidden) art = p.dataset.shows; });
    all("[data-art]", desk).forEach((a) => { a.hidden = a.dataset.art !== art; });
    desk.dataset.state = id;
    waitingForKey = id === "absent";
  };
  const why = (id, text) => { part(`[data-panel=${id}] [data-why]`).textContent = text; show(id); part(`[data-panel=${id}] [data-go]`).focus(); };
  const tries = (left) => {
    const box = part("[data-tries]");
    box.hidden = typeof left !== "number" || left < 0;
    if (!box.hidden) box.querySelector("b").textContent = String(left);
  };
  const at = (id) => {
    step = id;
    let before = true;
    all("[data-work]", desk).forEach((li) => {
      if (li.dataset.work === id) before = false;
      li.className = li.dataset.work === id ? "now" : before ? "done" : "";
    });
  };

  // ── the server ───────────────────────────────────────────────────────────
  const post = async (path, data) => {
    let res;
    try {
      res = await ask(base + path, { method: "POST", body: JSON.stringify(data || {}), headers: { "Content-Type": "application/json" } });
    } catch {
      throw Object.assign(new Error(words.OFFLINE), { code: "OFFLINE" });
    }
    if (res.status === 401) { location.reload(); }
    if (!res.ok) {
      const said = await problem(res);
      throw Object.assign(new Error(said.title || ""), { code: said.code || "SERVER", server: true });
    }
    return res.status === 204 ? {} : res.json();
  };
  const report = (err) => post("/report", { code: (err.code || "").slice(0, 40), step, native: (err.native || "").slice(0, 40) }).catch(() => {});

  // ── the agent's window and devices that come and go ──────────────────────
  const heard = (e) => {
    if (e.event === "device" && e.type === "inserted" && waitingForKey) { go(); return; }
    if (e.event === "pin_prompt") {
      const w = part("[data-window]");
      w.hidden = e.opened || !e.url;
      w.querySelector("a").href = e.url || "";
      part("[data-pin-wrong]").hidden = true;
      tries(e.retry_left);
      show("pin");
    }
    if (e.event === "pin_wrong") { part("[data-pin-wrong]").hidden = false; tries(e.retry_left); }
  };
  const leave = () => {
    if (stopPing) stopPing();
    if (agent) agent.close();
    agent = stopPing = null;
  };

  // choose asks which of several keys is meant.
  const choose = (devices) => new Promise((done) => {
    const box = part("[data-devices]");
    box.replaceChildren(...devices.map((d) => {
      const b = document.createElement("button");
      b.type = "button";
      b.className = "btn btn-secondary";
      b.textContent = [d.label, d.sn].filter(Boolean).join(" · ");
      b.addEventListener("click", () => done(d.sn));
      return b;
    }));
    show("choose");
    box.querySelector("button").focus();
  });
  const select = async () => {
    try {
      return await agent.call("select", {});
    } catch (err) {
      if (err.code !== "MULTIPLE_DEVICES" || !err.devices.length) throw err;
      return agent.call("select", { sn: await choose(err.devices) });
    }
  };

  // ── one attempt ──────────────────────────────────────────────────────────
  const renew = async (mine) => {
    step = "find";
    show("looking");
    const found = await window.UKAgent.find();
    if (mine !== turn) return;
    if (found.state !== "ready") { report({ code: "AGENT_" + found.state.toUpperCase() }); show(found.state); return; }
    step = "ticket";
    const pass = await post("/ticket");
    step = "connect";
    agent = await window.UKAgent.connect(found, { ticket: pass.ticket, onEvent: heard });
    stopPing = window.UKAgent.keepAlive(agent);
    step = "select";
    const key = await select();
    if (mine !== turn) return;
    tries(key.pin && key.pin.retry_left);
    show("found");
    if (key.pin && key.pin.locked) { show("locked"); report({ code: "PIN_LOCKED" }); leave(); return; }
    step = "login";
    await agent.call("login", {});
    show("writing");
    const old = await proveOld(pass);
    at("csr");
    const csr = await agent.call("csr", { alg: pass.alg, new_container: true });
    at("enroll");
    const issued = await post("/enroll", { ticket: pass.ticket, csr: csr.csr_pem, sn: key.sn, old_cert: old.cert, old_sig: old.sig });
    at("install");
    await agent.call("install", { container: csr.container, sign_cert: issued.cert, chain: issued.chain });
    at("prove_new");
    const proof = await agent.call("prove_new", { challenge: pass.nonce });
    at("confirm");
    await post("/confirm", { ticket: pass.ticket, sig: proof.sig });
    at("cleanup");
    await cleanup(old.container || (key.old && key.old.name) || "");
    show("done");
    leave();
    location.reload();
  };
  // proveOld: a key that has lost its old pair cannot prove itself; the server decides what that means.
  const proveOld = async (pass) => {
    at("prove_old");
    if (!pass.prove_old) return {};
    try {
      return await agent.call("prove_old", { challenge: pass.nonce });
    } catch (err) {
      if (err.code !== "KEY_NOT_FOUND") throw err;
      report(err);
      return {};
    }
  };
  // cleanup takes the old pair away; the certificate is safe already, so that a
  // failure here is noted and nothing more.
  const cleanup = async (old) => {
    try {
      const pass = await post("/cleanup");
      await agent.call("cleanup", { old_container: old }, { ticket: pass.ticket });
    } catch (err) { report(err); }
  };

  const failed = (err) => {
    const code = err.code || "DEVICE_ERROR";
    if (code !== "NO_DEVICE") leave(); // without a key the connection stays: it tells when one is plugged in
    if (code !== "NO_DEVICE" && code !== "USER_CANCELLED") report(err);
    if (code === "NO_DEVICE") { show("absent"); return; }
    if (code === "PIN_LOCKED") { show("locked"); return; }
    if (code === "WRONG_DEVICE" || code === "issuance.wrong_key") { why("wrong", err.server ? err.message : words[code]); return; }
    why("failed", err.server ? err.message : words[code] || err.message || words.DEVICE_ERROR);
  };
  const go = async () => {
    const mine = ++turn;
    leave();
    try { await renew(mine); } catch (err) { if (mine === turn) failed(err); }
  };
  all("[data-go]", desk).forEach((b) => b.addEventListener("click", go));
  window.addEventListener("pagehide", leave);
})();
