// The phone's upload page: a chosen photograph is made small enough and sent
// at once. Without this script the form sends the picture as it is.
"use strict";
(() => {
  const form = document.getElementById("phone");
  const input = form?.querySelector('input[type="file"]');
  if (!input || !window.DataTransfer) return;
  form.querySelector("[data-phone-send]").hidden = true;
  const busy = form.querySelector("[data-phone-busy]");
  // smaller redraws a photograph over the limit as JPEG, at most 2400 px on its longer side.
  const smaller = async (file, max) => {
    if (file.size <= max || !window.createImageBitmap) return file;
    try {
      const bmp = await createImageBitmap(file, { imageOrientation: "from-image" });
      const k = Math.min(1, 2400 / Math.max(bmp.width, bmp.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(bmp.width * k);
      canvas.height = Math.round(bmp.height * k);
      canvas.getContext("2d").drawImage(bmp, 0, 0, canvas.width, canvas.height);
      for (const q of [0.9, 0.8, 0.7]) {
        const blob = await new Promise((ok) => canvas.toBlob(ok, "image/jpeg", q));
        if (blob && blob.size <= max) return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
      }
    } catch { /* the server says what is wrong with it */ }
    return file;
  };
  input.addEventListener("change", async () => {
    if (!input.files[0]) return;
    busy.hidden = false;
    busy.textContent = input.dataset.busy;
    const fit = await smaller(input.files[0], +input.dataset.max);
    const bag = new DataTransfer();
    bag.items.add(fit);
    input.files = bag.files;
    form.submit();
  });
})();
