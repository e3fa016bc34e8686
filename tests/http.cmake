millrace_test_dir(NAME unit_http DIR unit/http DEPS millrace::http OpenSSL::SSL)
