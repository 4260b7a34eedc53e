/** The page's elements. */

/** The first that a selector names. @returns {HTMLElement} */
export const find = (selector) => document.querySelector(selector);
