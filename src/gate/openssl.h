// OpenSSL's objects with owners, and its errors as values.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse::gate {

template <auto kFree>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using UniqueBio = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;
using UniqueKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using UniqueCertificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using UniqueSsl = std::unique_ptr<SSL, OpenSslFree<SSL_free>>;
using UniqueSslContext = std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>>;

/// Before the first use: the host's openssl.cnf is not read, neither its engines nor its policy are meant for
/// this. Costs nothing the second time.
void init_openssl();

/// The oldest error of this thread's queue, which is emptied; "" if it had none.
std::string take_openssl_error();

/// "what: OpenSSL's reason".
tl::unexpected<Error> openssl_error(std::string_view what);

}  // namespace rehearse::gate
