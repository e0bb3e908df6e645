// expiry is when a token that is a JWT expires, in milliseconds since 1970; NaN for any other.
export const expiry = (token) => {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000
  } catch {
    return NaN
  }
}
