// Plays the Zendesk Apps framework for one page: what the app asks goes to the test, and what it invokes is written down.
window.ZAFClient = {
  init() {
    const handlers = {};
    window.zaf = { invoked: [], set: [], fire: (name, data) => (handlers[name] || []).forEach((each) => each(data)) };
    return {
      get: (path) => window.zafGet(path),
      metadata: () => window.zafGet("metadata"),
      on: (name, handler) => { (handlers[name] = handlers[name] || []).push(handler); },
      invoke: async (...said) => { window.zaf.invoked.push(said); return {}; },
      set: async (...said) => { window.zaf.set.push(said); },
      instance: (guid) => ({ set: async (...said) => { window.zaf.set.push([guid, ...said]); }, invoke: async () => ({}) }),
      request: async (options) => {
        const { status, body } = await window.zafRequest(options);
        if (status >= 400) throw { status, responseJSON: body };
        return body;
      },
    };
  },
};
