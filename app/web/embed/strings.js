// Every sentence, in every language: `t(key, values)`. The groups here are those of the element and
// of what it shares with the page (common.*, element.*, classify.error.*), so that other people's
// pages load no more than they show; the page's own groups are in ../words/, and ../strings.js adds them to
// this one table. Knows nothing of the document.

const table = {
  en: {
    // common: shared by the page and the element
    "common.choose": "Choose an image",
    "common.photo": "Take a photo",
    "common.cancel": "Cancel",
    "common.clear": "Clear",
    "common.retry": "Try again",
    "common.preview": "The image you chose",
    "common.classifying": "Classifying …",
    "common.cancelled": "Cancelled.",
    "common.answer": "{label}: {percent}",
    "common.unsure": "Not sure: {first} ({firstPercent}) or {second} ({secondPercent})",
    "common.unsureOne": "Not sure: perhaps {first} ({firstPercent})",
    "common.spoken": "Result: {label}, {percent}.",
    "common.spokenUnsure": "Not sure. First: {label}, {percent}.",
    "common.spokenSecond": "Second: {label}, {percent}.",
    "common.busy": "The service is busy. Trying again in {seconds} s.",
    "common.loading": "The model is loading. Trying again in {seconds} s.",
    "common.gone": "No answer from {host}. Trying again in {seconds} s.",

    // element: <image-classifier> alone
    "element.name": "Image classifier",
    "element.hint": "or drop one here, or paste it",
    "element.result": "Result",
    "element.required": "Choose an image, and wait for its result.",

    // classify.error: one sentence a code, with the remedy; for the rest the service's own words
    "classify.error.empty_body": "The file is empty. Choose it again, or another one.",
    "classify.error.bad_multipart": "The image did not arrive whole. Send it again.",
    "classify.error.unauthorized": "This service needs a valid API key. Whoever runs it gives you one.",
    "classify.error.unknown_model": "This model is no longer here. Choose another one.",
    "classify.error.not_found": "This service does not offer that. Check its address and its version.",
    "classify.error.request_timeout": "The image took too long to arrive. Send it again, or a smaller one.",
    "classify.error.body_too_large": "The file is too large. Scale the image down or save it as JPEG.",
    "classify.error.unsupported_image": "This is not an image that the service can read. Save it as JPEG, PNG, WebP, GIF, BMP or AVIF.",
    "classify.error.heic": "This is a HEIC photo, as iPhones take them, and the service cannot read it. Save it as JPEG; or set Settings → Camera → Formats to “Most Compatible” and take it again.",
    "classify.error.unsupported_media_type": "The image did not arrive in a form that the service reads. Reload the page.",
    "classify.error.invalid_image": "The image is damaged or cut short. Save it again, or choose another one.",
    "classify.error.image_too_large": "The image has too many pixels. Scale it down.",
    "classify.error.invalid_parameter": "The service does not accept one of the settings. Reload the page.",
    "classify.error.internal": "Something went wrong in the service. Try again; if it happens again, give its operator the request number {requestId}.",
    "classify.error.overloaded": "The service is busy. Try again in a moment.",
    "classify.error.not_ready": "The model is not in service. Try again in a moment.",
    "classify.error.unreachable": "No answer from {host}. Is the service running, and does it let this page in?",
    "classify.error.timeout": "{host} took too long to answer. Try again, or send a smaller image.",
    "classify.error.unexpected": "{host} gave an answer that is not this service's. Check the address.",
  },

  ko: {
    // common: 페이지와 요소가 함께 쓰는 문장
    "common.choose": "이미지 선택",
    "common.photo": "사진 찍기",
    "common.cancel": "취소",
    "common.clear": "지우기",
    "common.retry": "다시 시도",
    "common.preview": "선택한 이미지",
    "common.classifying": "분류하는 중입니다 …",
    "common.cancelled": "취소했습니다.",
    "common.answer": "{label}: {percent}",
    "common.unsure": "확실하지 않음: {first} ({firstPercent}) 또는 {second} ({secondPercent})",
    "common.unsureOne": "확실하지 않음: 아마도 {first} ({firstPercent})",
    "common.spoken": "결과: {label}, {percent}.",
    "common.spokenUnsure": "확실하지 않습니다. 첫째: {label}, {percent}.",
    "common.spokenSecond": "둘째: {label}, {percent}.",
    "common.busy": "서비스가 바쁩니다. {seconds}초 뒤에 다시 시도합니다.",
    "common.loading": "모델을 불러오는 중입니다. {seconds}초 뒤에 다시 시도합니다.",
    "common.gone": "{host}에서 응답이 없습니다. {seconds}초 뒤에 다시 시도합니다.",

    // element: <image-classifier>만 쓰는 문장
    "element.name": "이미지 분류기",
    "element.hint": "또는 여기에 끌어다 놓거나 붙여 넣으세요",
    "element.result": "결과",
    "element.required": "이미지를 선택하고 결과를 기다려 주세요.",

    // classify.error: 오류 코드마다 한 문장, 해결 방법과 함께
    "classify.error.empty_body": "파일이 비어 있습니다. 다시 선택하거나 다른 파일을 선택하세요.",
    "classify.error.bad_multipart": "이미지가 온전히 도착하지 않았습니다. 다시 보내세요.",
    "classify.error.unauthorized": "이 서비스를 쓰려면 유효한 API 키가 필요합니다. 키는 서비스 운영자에게 받을 수 있습니다.",
    "classify.error.unknown_model": "이 모델은 더 이상 없습니다. 다른 모델을 선택하세요.",
    "classify.error.not_found": "이 서비스에는 없는 기능입니다. 주소와 버전을 확인하세요.",
    "classify.error.request_timeout": "이미지가 도착하는 데 너무 오래 걸렸습니다. 다시 보내거나 더 작은 이미지를 보내세요.",
    "classify.error.body_too_large": "파일이 너무 큽니다. 이미지를 줄이거나 JPEG로 저장하세요.",
    "classify.error.unsupported_image": "서비스가 읽을 수 있는 이미지가 아닙니다. JPEG, PNG, WebP, GIF, BMP, AVIF 가운데 하나로 저장하세요.",
    "classify.error.heic": "아이폰에서 쓰는 HEIC 사진이라 서비스가 읽을 수 없습니다. JPEG로 저장하세요. 또는 설정 → 카메라 → 포맷에서 ‘높은 호환성’을 선택하고 다시 찍으세요.",
    "classify.error.unsupported_media_type": "이미지가 서비스가 읽는 형식으로 도착하지 않았습니다. 페이지를 새로 고치세요.",
    "classify.error.invalid_image": "이미지가 손상되었거나 중간에 잘렸습니다. 다시 저장하거나 다른 이미지를 선택하세요.",
    "classify.error.image_too_large": "이미지의 픽셀 수가 너무 많습니다. 크기를 줄이세요.",
    "classify.error.invalid_parameter": "서비스가 설정값 하나를 받아들이지 않습니다. 페이지를 새로 고치세요.",
    "classify.error.internal": "서비스에 문제가 생겼습니다. 다시 시도해 보고, 또 생기면 운영자에게 요청 번호 {requestId}를 알려 주세요.",
    "classify.error.overloaded": "서비스가 바쁩니다. 잠시 뒤에 다시 시도하세요.",
    "classify.error.not_ready": "모델이 아직 준비되지 않았습니다. 잠시 뒤에 다시 시도하세요.",
    "classify.error.unreachable": "{host}에서 응답이 없습니다. 서비스가 실행 중인지, 이 페이지의 접속을 허용하는지 확인하세요.",
    "classify.error.timeout": "{host}의 응답이 너무 늦습니다. 다시 시도하거나 더 작은 이미지를 보내세요.",
    "classify.error.unexpected": "{host}의 응답이 이 서비스의 것이 아닙니다. 주소를 확인하세요.",
  },
};

// The language of the page; the element has one of its own.
export let language = "en";

export function setLanguage(name) {
  if (!(name in table)) throw new Error(`There is no language ${name}.`);
  language = name;
}

// The first language a person reads that is here, as "en" or "ko": languageOf(navigator.languages).
export function languageOf(wanted) {
  const bare = wanted.map((tag) => tag.toLowerCase().split("-")[0]);
  return bare.find((name) => name in table) ?? "en";
}

// The sentence, with each {name} replaced. A key or a value that is missing is a fault, and thrown.
export function t(key, values = {}, name = language) {
  const sentence = table[name][key];
  if (sentence === undefined) throw new Error(`There is no sentence ${key} in ${name}.`);
  return sentence.replace(/\{(\w+)\}/g, (_, word) => {
    if (!(word in values)) throw new Error(`The sentence ${key} needs ${word}.`);
    return values[word];
  });
}

export function has(key, name = language) {
  return key in table[name];
}

// Add groups, as { en: {…}, ko: {…} } with the same keys; a key that is there already is a fault.
export function extend(more) {
  for (const [name, sentences] of Object.entries(more)) {
    for (const [key, sentence] of Object.entries(sentences)) {
      if (key in table[name]) throw new Error(`There are two sentences ${key} in ${name}.`);
      table[name][key] = sentence;
    }
  }
}

// All of it, for the test that compares the languages.
export function sentences() {
  return structuredClone(table);
}
