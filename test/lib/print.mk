# Behind another makefile: `make -f Makefile -f print.mk print-NAME` prints its variable.
print-%: ; @echo $($*)
