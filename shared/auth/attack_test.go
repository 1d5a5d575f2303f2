package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/shared/auth"
)

// The header and the payload of a good access token, from which every attack
// departs in one point.
const (
	goodHeader  = `{"alg":"EdDSA","kid":"new","typ":"at+jwt"}`
	goodPayload = `{"iss":"https://sluice.example","sub":"ulla","aud":["sluice"],"exp":1767324000,"iat":1767323045,"jti":"j","sid":"login 1"}`
)

func TestTheGoodTokenPasses(t *testing.T) {
	verifier := newVerifier(t, at(start), newKey, oldKey)
	cases := []struct{ name, header, payload string }{
		{"as it is", goodHeader, goodPayload},
		{"with an audience that is one string", goodHeader, strings.Replace(goodPayload, `["sluice"]`, `"sluice"`, 1)},
		{"with unused bits", goodHeader, goodPayload + strings.Repeat(" ", 4-len(goodPayload)%3)},
		{"long", goodHeader, goodPayload + strings.Repeat(" ", 1200)},
	}
	for _, c := range cases {
		if _, err := verifier.VerifyAccess(forge(c.header, c.payload)); err != nil {
			t.Errorf("the token from which the attacks depart, %s, is refused: %v", c.name, err)
		}
	}
}

// signature is how an attack signs.
type signature func(message string) []byte

func byKey(key auth.TokenKey) signature {
	return func(message string) []byte { return ed25519.Sign(private(key), []byte(message)) }
}

func unsigned(string) []byte { return nil }

func byPublicKeyAsHMAC(message string) []byte {
	h := hmac.New(sha256.New, private(newKey).Public().(ed25519.PublicKey))
	h.Write([]byte(message))
	return h.Sum(nil)
}

func byECDSA(message string) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256([]byte(message))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func byRSA(message string) []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256([]byte(message))
	signed, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signed
}

func TestHeaderAttacks(t *testing.T) {
	alien := base64.RawURLEncoding.EncodeToString(private(alienKey).Public().(ed25519.PublicKey))
	cases := []struct {
		name   string
		header string
		sign   signature
	}{
		{"no algorithm, no signature", `{"alg":"none","kid":"new","typ":"at+jwt"}`, unsigned},
		{"no algorithm in capitals", `{"alg":"NONE","kid":"new","typ":"at+jwt"}`, unsigned},
		{"no algorithm, our signature", `{"alg":"none","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"no signature", goodHeader, unsigned},
		{"a signature of 64 zeros", goodHeader, func(string) []byte { return make([]byte, 64) }},
		{"a signature too long", goodHeader, func(m string) []byte { return append(byKey(newKey)(m), 0) }},
		{"a signature too short", goodHeader, func(m string) []byte { return byKey(newKey)(m)[:63] }},
		{"a signature with S plus the group's order", goodHeader, malleable},
		{"HS256 with the public key", `{"alg":"HS256","kid":"new","typ":"at+jwt"}`, byPublicKeyAsHMAC},
		{"EdDSA that is HMAC with the public key", goodHeader, byPublicKeyAsHMAC},
		{"ES256", `{"alg":"ES256","kid":"new","typ":"at+jwt"}`, byECDSA},
		{"RS256", `{"alg":"RS256","kid":"new","typ":"at+jwt"}`, byRSA},
		{"Ed25519 as the algorithm's name", `{"alg":"Ed25519","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"the algorithm in lower case", `{"alg":"eddsa","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"two algorithms", `{"alg":"none","alg":"EdDSA","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"no algorithm named", `{"kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"another's key under our id", goodHeader, byKey(alienKey)},
		{"our other key", goodHeader, byKey(oldKey)},
		{"the id of our other key", `{"alg":"EdDSA","kid":"old","typ":"at+jwt"}`, byKey(newKey)},
		{"an unknown key id", `{"alg":"EdDSA","kid":"next","typ":"at+jwt"}`, byKey(newKey)},
		{"an empty key id", `{"alg":"EdDSA","kid":"","typ":"at+jwt"}`, byKey(newKey)},
		{"no key id", `{"alg":"EdDSA","typ":"at+jwt"}`, byKey(newKey)},
		{"a path as key id", `{"alg":"EdDSA","kid":"../../dev/null","typ":"at+jwt"}`, byKey(newKey)},
		{"a query as key id", `{"alg":"EdDSA","kid":"new' OR '1'='1","typ":"at+jwt"}`, byKey(newKey)},
		{"a list as key id", `{"alg":"EdDSA","kid":["new"],"typ":"at+jwt"}`, byKey(newKey)},
		{"a key of their own (jwk)", `{"alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"` + alien + `"},"kid":"new","typ":"at+jwt"}`, byKey(alienKey)},
		{"a URL of keys (jku)", `{"alg":"EdDSA","jku":"http://127.0.0.1:1/jwks.json","kid":"new","typ":"at+jwt"}`, byKey(alienKey)},
		{"a URL of certificates (x5u)", `{"alg":"EdDSA","kid":"new","typ":"at+jwt","x5u":"http://127.0.0.1:1/cert.pem"}`, byKey(alienKey)},
		{"a certificate (x5c)", `{"alg":"EdDSA","kid":"new","typ":"at+jwt","x5c":["MIIB"]}`, byKey(newKey)},
		{"a critical extension (crit)", `{"alg":"EdDSA","crit":["exp"],"exp":1,"kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"an unencoded payload (b64)", `{"alg":"EdDSA","b64":false,"crit":["b64"],"kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"a compressed payload (zip)", `{"alg":"EdDSA","kid":"new","typ":"at+jwt","zip":"DEF"}`, byKey(newKey)},
		{"an encryption (enc)", `{"alg":"EdDSA","enc":"A128GCM","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"a content type (cty)", `{"alg":"EdDSA","cty":"JWT","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"the type of a refresh token", `{"alg":"EdDSA","kid":"new","typ":"rt+jwt"}`, byKey(newKey)},
		{"the general type", `{"alg":"EdDSA","kid":"new","typ":"JWT"}`, byKey(newKey)},
		{"the type as a media type", `{"alg":"EdDSA","kid":"new","typ":"application/at+jwt"}`, byKey(newKey)},
		{"the type in capitals", `{"alg":"EdDSA","kid":"new","typ":"AT+JWT"}`, byKey(newKey)},
		{"no type", `{"alg":"EdDSA","kid":"new"}`, byKey(newKey)},
		{"the members in another order", `{"typ":"at+jwt","alg":"EdDSA","kid":"new"}`, byKey(newKey)},
		{"a space in the header", `{"alg": "EdDSA","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"a space after the header", goodHeader + " ", byKey(newKey)},
		{"an escape in the header", `{"alg":"\u0045dDSA","kid":"new","typ":"at+jwt"}`, byKey(newKey)},
		{"one member more", `{"alg":"EdDSA","kid":"new","typ":"at+jwt","x":1}`, byKey(newKey)},
		{"an empty header", `{}`, byKey(newKey)},
		{"a header that is null", `null`, byKey(newKey)},
		{"a header that is not JSON", `EdDSA`, byKey(newKey)},
		{"a header that is no object", `["EdDSA"]`, byKey(newKey)},
		{"no header", ``, byKey(newKey)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			refused(t, forgeBy(c.header, goodPayload, c.sign), "token_invalid")
		})
	}
}

func TestPayloadAttacks(t *testing.T) {
	without := func(member string) string {
		start := strings.Index(goodPayload, `"`+member+`":`)
		end := start + strings.IndexAny(goodPayload[start:], ",}")
		payload := strings.NewReplacer("{,", "{", ",,", ",", ",}", "}").Replace(goodPayload[:start] + goodPayload[end:])
		if !json.Valid([]byte(payload)) || strings.Contains(payload, member) {
			t.Fatalf("not a payload without %s: %s", member, payload)
		}
		return payload
	}
	with := func(old, replacement string) string {
		if !strings.Contains(goodPayload, old) {
			t.Fatalf("%s is not in the payload", old)
		}
		return strings.Replace(goodPayload, old, replacement, 1)
	}
	cases := []struct {
		name    string
		payload string
		code    string
	}{
		{"no issuer", without("iss"), "token_invalid"},
		{"no subject", without("sub"), "token_invalid"},
		{"no audience", without("aud"), "token_invalid"},
		{"no expiry", without("exp"), "token_invalid"},
		{"no time of issue", without("iat"), "token_invalid"},
		{"no id", without("jti"), "token_invalid"},
		{"no login", without("sid"), "token_invalid"},
		{"an empty issuer", with("https://sluice.example", ""), "token_invalid"},
		{"an empty subject", with(`"ulla"`, `""`), "token_invalid"},
		{"an empty audience", with(`["sluice"]`, `[]`), "token_invalid"},
		{"an audience of nothing", with(`["sluice"]`, `[""]`), "token_invalid"},
		{"an empty id", with(`"j"`, `""`), "token_invalid"},
		{"an empty login", with(`"login 1"`, `""`), "token_invalid"},
		{"another issuer", with("https://sluice.example", "https://other.example"), "token_invalid"},
		{"an issuer with a slash more", with("https://sluice.example", "https://sluice.example/"), "token_invalid"},
		{"another audience", with(`["sluice"]`, `["other"]`), "token_invalid"},
		{"an audience that is a number", with(`["sluice"]`, `[7]`), "token_invalid"},
		{"a subject that is a number", with(`"ulla"`, `7`), "token_invalid"},
		{"expired", with("1767324000", "1767323000"), "token_expired"},
		{"expired long ago", with("1767324000", "-1"), "token_expired"},
		{"expired for another issuer", strings.Replace(with("1767324000", "1"), "sluice.example", "other.example", 1), "token_invalid"},
		{"an expiry that is a word", with("1767324000", `"never"`), "token_invalid"},
		{"an expiry that is null", with("1767324000", "null"), "token_invalid"},
		{"an expiry beyond numbers", with("1767324000", "1e999"), "token_invalid"},
		{"a generation beyond numbers", with(`"jti"`, `"gen":98765432109876543210,"jti"`), "token_invalid"},
		{"not valid yet", with(`"jti"`, `"nbf":1767323900,"jti"`), "token_invalid"},
		{"null", "null", "token_invalid"},
		{"no object", `["ulla"]`, "token_invalid"},
		{"an empty object", "{}", "token_invalid"},
		{"not JSON", "ulla", "token_invalid"},
		{"something after the object", goodPayload + "{}", "token_invalid"},
		{"nothing", "", "token_invalid"},
		{"deep nesting", strings.Repeat("[", 1000), "token_invalid"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			refused(t, forge(goodHeader, c.payload), c.code)
		})
	}
}

func TestEncodingAttacks(t *testing.T) {
	good := forge(goodHeader, goodPayload)
	parts := strings.Split(good, ".")
	header, payload, tag := parts[0], parts[1], parts[2]
	resign := func(header, payload string) string {
		message := header + "." + payload
		return message + "." + base64.RawURLEncoding.EncodeToString(byKey(newKey)(message))
	}
	loose := goodPayload + strings.Repeat(" ", 4-len(goodPayload)%3) // leaves four bits unused, and wants padding
	looseSegment := base64.RawURLEncoding.EncodeToString([]byte(loose))
	cases := []struct{ name, token string }{
		{"nothing", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"the header alone", header},
		{"the header and a dot", header + "."},
		{"two segments", header + "." + payload},
		{"an empty signature", header + "." + payload + "."},
		{"an empty payload", header + ".." + tag},
		{"four segments", good + "." + tag},
		{"five segments", good + "..,"},
		{"the header twice", header + "." + good},
		{"a changed payload", header + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(goodPayload, "ulla", "adam", 1))) + "." + tag},
		{"a byte less", good[:len(good)-1]},
		{"half of it", good[:len(good)/2]},
		{"a byte more", good + "A"},
		{"a space before", " " + good},
		{"a space after", good + " "},
		{"the scheme before", "Bearer " + good},
		{"quotes", `"` + good + `"`},
		{"a NUL after", good + "\x00"},
		{"invalid UTF-8 after", good + "\xff"},
		{"a line break after", good + "\n"},
		{"a line break in the signature", header + "." + payload + "." + tag[:10] + "\n" + tag[10:]},
		{"a carriage return in the signature", header + "." + payload + "." + tag[:10] + "\r" + tag[10:]},
		{"a line break in the payload, signed so", resign(header, payload[:10]+"\n"+payload[10:])},
		{"padding of the header", resign(header+"=", payload)},
		{"padding of the payload", resign(header, looseSegment+"==")},
		{"padding of the signature", good + "=="},
		{"unused bits set in the payload", resign(header, nextLetter(looseSegment))},
		{"unused bits set in the signature", header + "." + payload + "." + nextLetter(tag)},
		{"standard base64 in the signature", header + "." + payload + "." + withOtherAlphabet(t, tag)},
		{"as long as may be", header + "." + payload + "." + strings.Repeat("A", auth.MaxToken-len(header)-len(payload)-2)},
		{"a byte too long, signed", tooLong(resign, header)},
		{"a megabyte of A", strings.Repeat("A", 1<<20)},
		{"a megabyte of dots", strings.Repeat(".", 1<<20)},
		{"a megabyte after our header", header + "." + strings.Repeat("A", 1<<20)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(t, c.token, "token_invalid") })
	}
}

func TestATokenServesOnePurposeOnly(t *testing.T) {
	access, refresh := tokens(t, newSigner(t, newKey), time.Hour)
	verifier := newVerifier(t, at(start), newKey)
	_, err := verifier.VerifyAccess(refresh)
	wantCode(t, "a refresh token as access token", err, "token_invalid")
	_, err = verifier.VerifyRefresh(access)
	wantCode(t, "an access token as refresh token", err, "token_invalid")
	_, err = newCache(t, verifier, 10).VerifyAccess(refresh)
	wantCode(t, "a refresh token as access token through the cache", err, "token_invalid")
}

// A token passes only if it is, byte for byte, one that was issued. (Those are
// forged here, since they must be the same in every process of the fuzzer.)
func FuzzVerify(f *testing.F) {
	verifier := newVerifier(f, at(start), newKey, oldKey)
	access := forge(goodHeader, goodPayload)
	older := forgeBy(`{"alg":"EdDSA","kid":"old","typ":"at+jwt"}`, goodPayload, byKey(oldKey))
	refresh := forge(`{"alg":"EdDSA","kid":"new","typ":"rt+jwt"}`, goodPayload)
	for _, token := range []string{access, older, refresh, "", ".", "..", access + "\n", access + "=", access[:len(access)-1], nextLetter(access),
		forgeBy(`{"alg":"none","kid":"new","typ":"at+jwt"}`, goodPayload, unsigned), forge(goodHeader, "null")} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := verifier.VerifyAccess(token)
		if want := token == access || token == older; (err == nil) != want {
			t.Errorf("VerifyAccess(%q): %v; want it taken: %v", token, err, want)
		}
		quotesNothing(t, err, token)
		_, err = verifier.VerifyRefresh(token)
		if want := token == refresh; (err == nil) != want {
			t.Errorf("VerifyRefresh(%q): %v; want it taken: %v", token, err, want)
		}
		quotesNothing(t, err, token)
	})
}

// refused wants the token refused, with that code for an access token, by a
// verifier, and by a cache however often it is asked; and never quoted.
func refused(t *testing.T, token, code string) {
	t.Helper()
	verifier := newVerifier(t, at(start), newKey, oldKey)
	_, err := verifier.VerifyAccess(token)
	wantCode(t, "VerifyAccess", err, code)
	quotesNothing(t, err, token)
	cache := newCache(t, verifier, 10)
	for range 2 {
		_, err = cache.VerifyAccess(token)
		wantCode(t, "VerifyAccess through the cache", err, code)
		quotesNothing(t, err, token)
	}
}

// quotesNothing wants no part of the token in an error.
func quotesNothing(t *testing.T, err error, token string) {
	t.Helper()
	if err == nil {
		return
	}
	for part := range strings.SplitSeq(token, ".") {
		decoded, _ := base64.RawURLEncoding.DecodeString(part)
		for _, text := range []string{part, string(decoded)} {
			if len(text) >= 12 && strings.Contains(err.Error(), text) {
				t.Errorf("the error quotes the token: %v", err)
			}
		}
	}
	for _, word := range []string{"ulla", "login 1", "other.example", "1e999", "98765432109876543210"} {
		if strings.Contains(err.Error(), word) {
			t.Errorf("the error quotes the token's claims: %v", err)
		}
	}
}

// forge returns a token of these parts, signed with our new key.
func forge(header, payload string) string { return forgeBy(header, payload, byKey(newKey)) }

func forgeBy(header, payload string, sign signature) string {
	text := base64.RawURLEncoding.EncodeToString
	message := text([]byte(header)) + "." + text([]byte(payload))
	return message + "." + text(sign(message))
}

// malleable is a good signature with the order of the group added to S, which
// RFC 8032 §5.1.7 refuses.
func malleable(message string) []byte {
	signed := byKey(newKey)(message)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signed[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(signed[:32:32], sum...)
}

// nextLetter changes the last letter of a base64url text to the next one, and
// so, where that leaves bits unused, only them.
func nextLetter(segment string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(segment) - 1
	return segment[:last] + string(letters[strings.IndexByte(letters, segment[last])+1])
}

// withOtherAlphabet turns base64url into base64.
func withOtherAlphabet(t *testing.T, segment string) string {
	t.Helper()
	other := strings.NewReplacer("-", "+", "_", "/").Replace(segment)
	if other == segment {
		t.Fatal("the segment has no letter in which the alphabets differ")
	}
	return other
}

// tooLong returns a good token of one byte more than is taken.
func tooLong(resign func(header, payload string) string, header string) string {
	for n := auth.MaxToken / 2; ; n++ {
		payload := strings.Replace(goodPayload, "{", fmt.Sprintf(`{"x":%q,`, strings.Repeat("x", n)), 1)
		token := resign(header, base64.RawURLEncoding.EncodeToString([]byte(payload)))
		if len(token) > auth.MaxToken {
			return token
		}
	}
}
