// Passkeys: asks for options, lets the browser make or use a passkey, and sends the result as the
// form that the button stands in. A form is revealed only where the browser has passkeys.

const decode = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const withIds = (list = []) => list.map((entry) => ({ ...entry, id: decode(entry.id) }));

const ceremonies = {
  get: async (options) => {
    const publicKey = {
      ...options,
      challenge: decode(options.challenge),
      allowCredentials: withIds(options.allowCredentials),
    };
    const made = await navigator.credentials.get({ publicKey });
    const { clientDataJSON, authenticatorData, signature, userHandle } = made.response;
    const response = {
      clientDataJSON: encode(clientDataJSON),
      authenticatorData: encode(authenticatorData),
      signature: encode(signature),
    };
    if (userHandle?.byteLength) response.userHandle = encode(userHandle);
    return { made, response };
  },
  create: async (options) => {
    const publicKey = {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: withIds(options.excludeCredentials),
    };
    const made = await navigator.credentials.create({ publicKey });
    const response = {
      clientDataJSON: encode(made.response.clientDataJSON),
      attestationObject: encode(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    };
    return { made, response };
  },
};

const run = async (form) => {
  const fields = form.elements;
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    body: new URLSearchParams({ csrf: fields.csrf.value }),
  });
  if (answer.redirected) {
    location.assign(answer.url); // she has to show once more who she is
    return;
  }
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  const { options, ceremony } = await answer.json();
  const { made, response } = await ceremonies[form.dataset.passkey](options);
  if (fields.ceremony) fields.ceremony.value = ceremony;
  fields.credential.value = JSON.stringify({
    id: made.id,
    rawId: encode(made.rawId),
    type: made.type,
    response,
  });
  form.submit();
};

const prepare = (form) => {
  const status = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = status.dataset.waiting;
    try {
      await run(form);
    } catch {
      status.textContent = status.dataset.failed;
      button.disabled = false;
    }
  });
};

// Passkeys belong to a name: at a bare address (of digits, or IPv6) there are none.
const named = !/^[\d.]+$|:/.test(location.hostname);
if (globalThis.PublicKeyCredential && named) {
  document.querySelectorAll("[data-passkey]").forEach(prepare);
}
