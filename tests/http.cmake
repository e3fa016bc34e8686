millrace_test_dir(NAME unit_http DIR unit/http DEPS millrace::http OpenSSL::SSL CURL::libcurl)
millrace_fuzz(NAME fuzz_http_request SRC fuzz/http_request.cc DEPS millrace::http)
millrace_fuzz(NAME fuzz_web_config SRC fuzz/web_config.cc DEPS millrace::http)
