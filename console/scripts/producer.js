// Writes one certificate into a new key: find the agent, choose a blank key,
// PIN in the agent's own window, key pair, certificate, read back, prove. The
// server decides everything; this page only carries messages.
"use strict";
(() => {
  const box = document.querySelector("[data-producer]");
  if (!box || !window.UKAgent) return;
  const base = box.dataset.producer, csrf = document.querySelector("meta[name=csrf]").content;
  const say = box.querySelector("[data-status]"), go = box.querySelector("[data-go]"), pin = box.querySelector("[data-pin]");
  const choice = box.querySelector("[data-choice]"), list = box.querySelector("[data-devices]"), art = box.querySelector("[data-key-state]");
  const t = (id) => box.getAttribute("data-t-" + id) || id;
  let chosen = "", agent = null;

  const state = (name) => {
    art.dataset.keyState = name;
    art.className = "keyart key-" + name;
  };
  const names = ["find", "choose", "pin", "key", "cert", "write", "prove"];
  const step = (name) => {
    const now = names.indexOf(name);
    box.querySelectorAll(".stepper li").forEach((li, i) => {
      li.className = i < now ? "step-done" : i === now ? "step-now" : "step-todo";
      if (i === now) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
    });
  };
  const post = async (path, body) => {
    const res = await fetch(base + path, {
      method: "POST", body: JSON.stringify(body || {}),
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, "X-Requested-With": "fetch", Accept: "application/json" },
    });
    const data = await res.json().catch(() => ({}));
    if (!res.ok) throw Object.assign(new Error(data.title || t("failed")), { shown: true });
    return data;
  };

  // choose waits until the producer picks one of the devices; a key that holds a certificate is shown and cannot be picked.
  const choose = (devices) => new Promise((resolve) => {
    list.textContent = "";
    choice.hidden = false;
    [...devices].sort((a, b) => used(a) - used(b) || (a.label || "").localeCompare(b.label || "")).forEach((d) => {
      const b = document.createElement("button");
      b.type = "button";
      b.className = "btn btn-secondary";
      b.textContent = (d.label || d.model || "USBKEY") + " · " + d.sn + (used(d) ? " · " + t("used_device") : "");
      b.disabled = used(d);
      b.dataset.sn = d.sn;
      b.addEventListener("click", () => { choice.hidden = true; resolve(d.sn); });
      list.append(b);
    });
  });
  const used = (d) => d.containers.some((c) => c.cert) && d.sn !== chosen;

  const event = (e) => {
    if (e.event === "pin_prompt") {
      state("pin");
      say.textContent = t("pin");
      pin.hidden = !!e.opened;
      pin.querySelector("a").href = e.url;
    } else if (e.event === "pin_wrong") {
      say.textContent = t("pin_wrong") + (typeof e.retry_left === "number" ? " (" + e.retry_left + ")" : "");
    } else if (e.event === "pin_done") {
      pin.hidden = true;
    }
  };

  const write = async () => {
    step("find");
    const found = await window.UKAgent.find();
    if (found.state !== "ready") throw Object.assign(new Error(t(found.state)), { shown: true });
    const a = await post("/authorise");
    agent = await window.UKAgent.connect(found, { ticket: a.ticket, onEvent: event });
    step("choose");
    const devices = await agent.call("enumerate", {});
    if (!devices.length) throw Object.assign(new Error(t("nodevice")), { shown: true });
    const blank = devices.filter((d) => !used(d));
    if (!blank.length) throw Object.assign(new Error(t("noblank")), { shown: true });
    if (!blank.some((d) => d.sn === chosen)) chosen = devices.length === 1 ? blank[0].sn : await choose(devices);
    await agent.call("select", { sn: chosen });
    state("found");
    step("pin");
    await agent.call("login", {});
    pin.hidden = true;
    state("writing");
    say.textContent = t("working");
    step("key");
    const req = await agent.call("csr", { alg: a.alg, subject_hint: a.hint, new_container: true });
    step("cert");
    const made = await post("/enroll", { Ticket: a.ticket, CSR: req.csr_pem, SN: chosen });
    step("write");
    await agent.call("install", { container: req.container, sign_cert: made.cert, chain: made.chain });
    step("prove");
    const proof = await agent.call("prove_new", { challenge: a.nonce });
    const done = await post("/confirm", { Ticket: a.ticket, Proof: proof.sig });
    state("done");
    say.textContent = t("done") + " " + made.serial;
    location.assign(done.next);
  };

  go.addEventListener("click", async () => {
    go.disabled = true;
    say.textContent = t("working");
    try {
      await write();
    } catch (err) {
      state("failed");
      pin.hidden = true;
      choice.hidden = true;
      const left = typeof err.retryLeft === "number" ? " (" + err.retryLeft + ")" : "";
      say.textContent = (err.message || t(err.code === "AGENT_GONE" ? "gone" : "failed")) + left;
      go.textContent = t("retry");
      go.disabled = false;
    } finally {
      if (agent) { agent.close(); agent = null; }
    }
  });
  go.disabled = false; // not before: a press that nobody hears does nothing
})();
