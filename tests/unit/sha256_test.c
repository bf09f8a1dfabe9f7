/* SHA-256 against the examples of FIPS 180-4 and of NIST's CAVP (lengths around the padding's boundary). */
#include "hamon/common/sha256.h"
#include "tests/unit/test.h"

static void check_digest(const char *text, size_t len, const char *expected)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(text, len, hex);
	CHECK_STR(hex, expected);
}

static void known_digests(void)
{
	static char as[1000000];

	check_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(as, 'a', sizeof(as));
	check_digest(as, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
	check_digest(as, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
	check_digest(as, sizeof(as),
		     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	RUN(known_digests);
	return 0;
}
