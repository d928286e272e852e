// What the app itself says; what there is to say about an incident comes from Heliograph, in all languages at once.

export const WORDS = {
  en: {
    calm: "None of your replies is affected.",
    tickets: "Your tickets",
    checked: "Checked at {time}.",
    refused: "Heliograph does not accept this app's token. An admin makes a new one in Heliograph and puts it into the app's settings.",
    away: "Heliograph cannot be reached at the moment. Your replies are kept all the same.",
    incomplete: "Some replies are still being looked up.",
    number: "Incident {number}",
  },
  es: {
    calm: "Ninguna de sus respuestas está afectada.",
    tickets: "Sus tickets",
    checked: "Comprobado a las {time}.",
    refused: "Heliograph no acepta el token de esta aplicación. Un administrador crea uno nuevo en Heliograph y lo pone en los ajustes de la aplicación.",
    away: "En este momento no se puede contactar con Heliograph. Sus respuestas se conservan de todos modos.",
    incomplete: "Todavía se están buscando algunas respuestas.",
    number: "Incidente {number}",
  },
  "pt-BR": {
    calm: "Nenhuma das suas respostas foi afetada.",
    tickets: "Seus tickets",
    checked: "Verificado às {time}.",
    refused: "O Heliograph não aceita o token deste aplicativo. Um administrador cria um novo no Heliograph e o coloca nas configurações do aplicativo.",
    away: "No momento não é possível acessar o Heliograph. Suas respostas estão guardadas mesmo assim.",
    incomplete: "Algumas respostas ainda estão sendo procuradas.",
    number: "Incidente {number}",
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

// Portuguese counts 0 as singular; the others do not.
export function plural(lang, forms, name, number) {
  const one = new Intl.PluralRules(lang).select(number) === "one";
  return fill(one ? forms.one : forms.other, { [name]: new Intl.NumberFormat(lang, { useGrouping: "always" }).format(number) });
}
