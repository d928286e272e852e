// What the app itself says; what there is to say about an incident comes from Heliograph, in all languages at once.

export const WORDS = {
  en: {
    calm: "None of your replies is affected.",
    tickets: "Your tickets",
    checked: "Checked at {time}.",
    refused: "Heliograph does not accept this app's token. An admin makes one in Heliograph, on its page Zendesk, and puts it into the app's settings.",
    away: "Heliograph cannot be reached at the moment. Your replies are kept all the same.",
    incomplete: "Some replies are still being looked up.",
    decide: "Decide in Heliograph",
    replies: { one: "{number} reply", other: "{number} replies" },
  },
  es: {
    calm: "Ninguna de sus respuestas está afectada.",
    tickets: "Sus tickets",
    checked: "Comprobado a las {time}.",
    refused: "Heliograph no acepta el token de esta aplicación. Un administrador crea uno en Heliograph, en su página Zendesk, y lo pone en los ajustes de la aplicación.",
    away: "En este momento no se puede contactar con Heliograph. Sus respuestas se conservan de todos modos.",
    incomplete: "Todavía se están buscando algunas respuestas.",
    decide: "Decidir en Heliograph",
    replies: { one: "{number} respuesta", other: "{number} respuestas" },
  },
  "pt-BR": {
    calm: "Nenhuma das suas respostas foi afetada.",
    tickets: "Seus tickets",
    checked: "Verificado às {time}.",
    refused: "O Heliograph não aceita o token deste aplicativo. Um administrador cria um no Heliograph, na página Zendesk, e o coloca nas configurações do aplicativo.",
    away: "No momento não é possível acessar o Heliograph. Suas respostas estão guardadas mesmo assim.",
    incomplete: "Algumas respostas ainda estão sendo procuradas.",
    decide: "Decidir no Heliograph",
    replies: { one: "{number} resposta", other: "{number} respostas" },
  },
};

// The nearest of our languages: Portuguese of any kind is Brazilian here, and whatever else there is reads English.
export function language(locale) {
  const base = String(locale || "en").toLowerCase().split(/[-_]/)[0];
  return { es: "es", pt: "pt-BR" }[base] || "en";
}

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// A sentence of Heliograph's about a number of replies: the language says which of its forms, and `{name}` is the replies.
// Portuguese counts 0 as singular; the others do not.
export function counted(lang, forms, name, number) {
  const rule = new Intl.PluralRules(lang).select(number) === "one" ? "one" : "other";
  const figure = new Intl.NumberFormat(lang, { useGrouping: "always" }).format(number);
  return fill(forms[rule], { [name]: fill(WORDS[lang].replies[rule], { number: figure }) });
}
