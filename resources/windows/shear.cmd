@echo off
rem The command line of an installed Shear: the program without a window.
"%~dp0..\Shear.exe" --command-line -- %*
